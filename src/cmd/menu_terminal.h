/* cmd/menu_terminal.h - a menu on the terminal: drawn, pressed, drawn again.
 * Effects:   reads keys from stdin, which is set raw meanwhile; writes to the terminal; blocks.
 * Ownership: borrows the menu.
 * Units:     none. */
#ifndef SERIN_CMD_MENU_TERMINAL_H
#define SERIN_CMD_MENU_TERMINAL_H

#include <stdio.h>

#include "base/err.h"
#include "cmd/menu.h"

/* `screen` is a terminal, and so is stdin. The end of stdin aborts. A signal that ends the program does so once the
 * terminal is as it was. */
MUST_USE struct err *menu_terminal_run(struct menu *menu, FILE *screen, enum menu_state *out);

#endif
