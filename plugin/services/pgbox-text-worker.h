#ifndef PGBOX_TEXT_WORKER_H
#define PGBOX_TEXT_WORKER_H

/* One database's queue of messages whose text is to be extracted. Works through
   it when woken and now and then, at most half of the time, so that deliveries
   get theirs. Any number of workers, on any hosts, share a queue. */

struct pgbox_text_worker;

/* name is for the log, dir that of wake-up files. Begins when the ioloop runs. */
struct pgbox_text_worker *
pgbox_text_worker_init(const char *name, const char *dsn, const char *dir);
void pgbox_text_worker_deinit(struct pgbox_text_worker **worker);

/* Something was changed: there may be messages. */
void pgbox_text_worker_wake(struct pgbox_text_worker *worker);

#endif
