#include "cmd/menu_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define SCREEN_BYTES ((size_t)1 << 20)
#define KEY_BYTES    16
#define ESCAPE_MS    50 /* a terminal sends the rest of a key at once */
#define CURSOR_HIDE  "\033[?25l"
#define CURSOR_SHOW  "\033[?25h"

struct raw_mode {
    FILE *screen;
    struct termios before;
    bool is_set;
    sigset_t mask; /* as it was */
    int signals;   /* can be read once a signal waits that would end us */
};

/* A signal that waits comes after this: it finds the terminal as it was. */
static void leave_raw(struct raw_mode *raw)
{
    if (raw->is_set) {
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw->before);
        (void)fputs(CURSOR_SHOW, raw->screen);
        (void)fflush(raw->screen);
    }
    if (raw->signals >= 0) {
        close(raw->signals);
        (void)sigprocmask(SIG_SETMASK, &raw->mask, NULL);
    }
}

static struct err *hold_signals(struct raw_mode *raw)
{
    static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < ARRAY_LEN(ending); i++)
        sigaddset(&held, ending[i]);
    raw->signals = signalfd(-1, &held, SFD_CLOEXEC);
    if (raw->signals < 0 || sigprocmask(SIG_BLOCK, &held, &raw->mask))
        return err_errno(ERR_TRANSIENT, errno, "hold signals back");
    return NULL;
}

/* Keys one by one, unseen; ctrl-C is a key as well. What is written is processed as ever. */
static struct err *enter_raw(struct raw_mode *raw)
{
    struct termios wanted;
    if (tcgetattr(STDIN_FILENO, &raw->before))
        return err_errno(ERR_TRANSIENT, errno, "read the settings of the terminal");
    wanted = raw->before;
    wanted.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    wanted.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
    wanted.c_cc[VMIN] = 1;
    wanted.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &wanted))
        return err_errno(ERR_TRANSIENT, errno, "set up the terminal");
    raw->is_set = true;
    (void)fputs(CURSOR_HIDE, raw->screen);
    return NULL;
}

/* False at the end of stdin, and when a signal waits. */
static bool read_byte(const struct raw_mode *raw, char *out)
{
    struct pollfd ready[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                              { .fd = raw->signals, .events = POLLIN } };
    while (poll(ready, ARRAY_LEN(ready), -1) < 0) {
        if (errno != EINTR)
            return false;
    }
    return !ready[1].revents && read(STDIN_FILENO, out, 1) == 1;
}

static bool more_comes(void)
{
    struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
    return poll(&ready, 1, ESCAPE_MS) > 0;
}

static enum menu_key read_key(const struct raw_mode *raw)
{
    char bytes[KEY_BYTES];
    size_t len = 0;
    do {
        if (!read_byte(raw, &bytes[len]))
            return MENU_ABORT;
        len++;
    } while (len < KEY_BYTES && menu_key_goes_on(bytes, len) && more_comes());
    return menu_key(bytes, len);
}

static struct menu_size size_of(FILE *screen)
{
    struct winsize size = { 0 };
    if (ioctl(fileno(screen), TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
        return (struct menu_size){ .columns = 80, .lines = 24 };
    return (struct menu_size){ .columns = size.ws_col, .lines = size.ws_row };
}

static void draw(struct menu *menu, FILE *screen)
{
    SBUF(text, SCREEN_BYTES);
    menu_draw(menu, size_of(screen), &text);
    (void)fputs(sbuf_text(&text), screen);
    (void)fflush(screen);
}

struct err *menu_terminal_run(struct menu *menu, FILE *screen, enum menu_state *out)
{
    __attribute__((cleanup(leave_raw))) struct raw_mode raw = { .screen = screen, .signals = -1 };
    *out = MENU_OPEN;
    TRY(hold_signals(&raw));
    TRY(enter_raw(&raw));
    while (*out == MENU_OPEN) {
        draw(menu, screen);
        *out = menu_press(menu, read_key(&raw));
    }
    return NULL;
}
