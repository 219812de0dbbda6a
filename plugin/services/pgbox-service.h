#ifndef PGBOX_SERVICE_H
#define PGBOX_SERVICE_H

/* A process that Dovecot's master starts for a service of ours. */

#include "master-service.h"

struct pgbox_service_settings;

/* set lives until deinit() has returned. */
struct pgbox_service {
	/* what the log calls the process */
	const char *name;
	/* drops privileges; exits if it can't */
	void (*preinit)(const struct pgbox_service_settings *set);
	void (*init)(const struct pgbox_service_settings *set);
	void (*deinit)(void);
	/* somebody connected to a listener of the service */
	master_service_connection_callback_t *connected;
};

/* Runs the service until the master ends it. Takes the arguments of main();
   returns its exit status. */
int pgbox_service_run(const struct pgbox_service *service, int argc,
		      char *argv[]);

#endif
