/* The life of a process that Dovecot's master starts. Knows nothing of what the
   service does. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-service.h"
#include "pgbox-settings.h"

int pgbox_service_run(const struct pgbox_service *service, int argc,
		      char *argv[])
{
	const struct pgbox_service_settings *set;
	pool_t pool;

	/* The stats process would find that the event category "pgbox" has no
	   parent here, and has one in mail processes. */
	master_service = master_service_init(service->name,
		MASTER_SERVICE_FLAG_NO_IDLE_DIE |
		MASTER_SERVICE_FLAG_DONT_SEND_STATS, &argc, &argv, "");
	if (master_getopt(master_service) > 0)
		return FATAL_DEFAULT;
	pool = pool_alloconly_create("pgbox service settings", 1024);
	set = pgbox_service_settings_get(pool);
	master_service_init_log(master_service);

	service->preinit(set);
	service->init(set);
	master_service_init_finish(master_service);
	master_service_run(master_service, service->connected);

	service->deinit();
	pool_unref(&pool);
	master_service_deinit(&master_service);
	return 0;
}
