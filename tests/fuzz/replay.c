/* Runs a fuzz target over files and directories of files: what libFuzzer's main does when it is not
 * linked. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    struct stat info;
    size_t size = !fstat(fileno(file), &info) && info.st_size > 0 ? (size_t)info.st_size : 0;
    uint8_t *data =
        malloc(size ? size : 1); /* exactly as long: the sanitizer sees any step beyond it */
    size_t got = data ? fread(data, 1, size, file) : 0;
    (void)fclose(file);
    if (!data || got != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(data);
        return -1;
    }
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

/* Files replayed; -1 if one cannot be read. */
static int replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        perror(path);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(folder));) {
        char file[4096];
        int len = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof(file))
            continue;
        count = replay_file(file) < 0 ? -1 : count + 1;
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        bool is_folder = !stat(argv[i], &info) && S_ISDIR(info.st_mode);
        int count = is_folder ? replay_folder(argv[i]) : replay_file(argv[i]);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs\n", total);
    return total ? 0 : 1; /* an empty corpus tests nothing */
}
