#ifndef PGBOX_NOTIFY_QUEUE_H
#define PGBOX_NOTIFY_QUEUE_H

/* What this host's mail processes have changed, until it is sent to the other
   hosts: each name once, at most one statement per interval for all of it. */

/* The payload of a notification is names of wake-up files, separated by
   spaces, or this one: all. */
#define PGBOX_NOTIFY_PAYLOAD_ALL "*"

struct pgbox_notify_queue;

struct pgbox_notify_queue_callbacks {
	/* Called for each name that comes in, and who told it (0: unknown) */
	void (*changed)(const char *name, uint64_t writer);
	/* Sends payloads. Returns 0, or -1 if it can't be done now. */
	int (*send)(const char *const *payloads, unsigned int count);
};

struct pgbox_notify_queue *
pgbox_notify_queue_init(const struct pgbox_notify_queue_callbacks *callbacks);
void pgbox_notify_queue_deinit(struct pgbox_notify_queue **queue);

/* Reads from the FIFO from now on. */
void pgbox_notify_queue_read(struct pgbox_notify_queue *queue, int fd);
/* It can be sent now: tries at once. */
void pgbox_notify_queue_retry(struct pgbox_notify_queue *queue);

#endif
