/* cmd/menu.h - lines to choose from: what a key does to them, and how they look on a terminal.
 * Effects:   none. Pure.
 * Ownership: borrows the texts; the menu is the caller's.
 * Units:     columns and lines of the terminal.
 *
 *         WORKLOAD             STATUS   UPDATES
 *     ⇒ ◉ demo:deployment/web  success  web: app:1.0.0 -> 1.1.0
 *       ◯                               side: side:1 -> 2
 *         demo:deployment/db   skipped  locked
 *
 *     Use arrow keys …
 * Reference: gitops.md 6.6. */
#ifndef SERIN_CMD_MENU_H
#define SERIN_CMD_MENU_H

#include "base/sbuf.h"

struct menu_row {
    const char *text;
    bool is_choice; /* else it only stands there */
    bool is_chosen;
};

struct menu {
    const char *heading, *hint;
    struct menu_row *rows;
    size_t len;
    size_t cursor;      /* a row that is a choice, once menu_start found one */
    size_t lines_drawn; /* what the next drawing goes over */
};

enum menu_key { MENU_NOTHING, MENU_UP, MENU_DOWN, MENU_TOGGLE, MENU_ACCEPT, MENU_ABORT };
enum menu_state { MENU_OPEN, MENU_ACCEPTED, MENU_ABORTED };

bool menu_start(struct menu *menu); /* false: there is nothing to choose */
enum menu_state menu_press(struct menu *menu, enum menu_key key);

/* The bytes of one key as a terminal sends them. */
enum menu_key menu_key(const char *bytes, size_t len);
/* More bytes may belong to a key that began so. */
bool menu_key_goes_on(const char *bytes, size_t len);

struct menu_size {
    size_t columns, lines;
};
/* Over the last drawing. What is too wide is cut, what is too high scrolls with the cursor. */
void menu_draw(struct menu *menu, struct menu_size size, struct sbuf *out);

#endif
