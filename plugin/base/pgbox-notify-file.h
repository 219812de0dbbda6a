#ifndef PGBOX_NOTIFY_FILE_H
#define PGBOX_NOTIFY_FILE_H

/* What mail processes and the service pgbox-notify have agreed on.

   Each mailbox, and each account, that somebody on this host waits for has a
   wake-up file. Mail processes create and watch them (inotify); the service
   writes to those that are there. Mail processes tell the service through its
   FIFO what they have changed, in lines of names of wake-up files. The service
   sends them to the services of the other hosts, and wakes this one. All of
   this only makes things fast: who waits also asks now and then. */

#include "guid.h"

/* The FIFO in Dovecot's base_dir */
#define PGBOX_NOTIFY_FIFO_NAME "pgbox-notify"

/* In pgbox_notify_dir: the table of changes (pgbox-notify-changes.h). The service
   has it locked, and touches it as long as notifications come in; while it is
   younger than the maximum, who waits need not ask often. */
#define PGBOX_NOTIFY_ALIVE_NAME ".alive"
#define PGBOX_NOTIFY_ALIVE_INTERVAL_SECS 10
#define PGBOX_NOTIFY_ALIVE_MAX_AGE_SECS 35

/* In pgbox_notify_dir: the wake-up file of the services pgbox-text. Written
   after any change. */
#define PGBOX_NOTIFY_TEXT_NAME ".text"

/* A wake-up file's name: the mailbox's GUID, or for an account half a SHA-256 of
   its name, in lower case hex digits. */
#define PGBOX_NOTIFY_NAME_LEN 32

/* The service writes this one byte again and again: watchers see it, and the
   file doesn't grow. It is there from the beginning, so that a full disk
   doesn't matter later. */
#define PGBOX_NOTIFY_FILE_CONTENT "\n"

/* A wake-up file that was neither written nor opened for watching for so long
   is removed; one that is still watched is made again. */
#define PGBOX_NOTIFY_FILE_MAX_AGE_SECS (24 * 60 * 60)

/* Before the names in a line of the FIFO: this character and a number in hex
   digits, which the sender knows its own changes by. It may be left out. */
#define PGBOX_NOTIFY_WRITER_PREFIX '='

const char *pgbox_notify_mailbox_name(const guid_128_t guid);
const char *pgbox_notify_account_name(const char *account);
bool pgbox_notify_name_is_valid(const char *name);

#endif
