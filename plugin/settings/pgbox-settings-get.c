/* Dovecot 2.4: has Dovecot read the settings of a namespace, or of a service. Knows
   nothing of what they are used for. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "settings.h"
#include "master-service.h"
#include "master-service-settings.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mailbox-list-private.h"
#include "pgbox-settings-private.h"

/* Settings as they are for the event's namespace, also those in pgbox { }.
   Returns 0 with a new reference, or -1 and an error. */
static int
settings_get_at(struct event *parent, const struct pgbox_settings **set_r,
		const char **error_r)
{
	struct event *event = event_create(parent);
	int ret;

	settings_event_add_filter_name(event, "pgbox");
	ret = settings_get(event, &pgbox_setting_parser_info, 0, set_r,
			   error_r);
	event_unref(&event);
	return ret;
}

int pgbox_settings_read(struct mailbox_list *list, pool_t pool,
			const struct pgbox_settings **set_r,
			const char **error_r)
{
	const struct pgbox_settings *set;

	if (settings_get_at(list->event, &set, error_r) < 0)
		return -1;
	pool_add_external_ref(pool, set->pool);
	*set_r = set;
	settings_free(set);
	return 0;
}

static int
read_account_at(struct event *event, const char **account_r,
		const char **error_r)
{
	const struct pgbox_settings *set;

	if (settings_get_at(event, &set, error_r) < 0)
		return -1;
	*account_r = t_strdup(set->account);
	settings_free(set);
	return 0;
}

int pgbox_settings_read_account(struct mailbox_list *list,
				const char **account_r, const char **name_r,
				const char **error_r)
{
	const struct mail_namespace *ns = list->ns;
	const char *own_account;

	*name_r = "pgbox_account";
	if (read_account_at(list->event, account_r, error_r) < 0)
		return -1;
	if (**account_r == '\0') {
		*account_r = NULL;
		return 0;
	}
	if (ns->owner == NULL || ns->owner == ns->user)
		return 0;

	if (read_account_at(ns->user->event, &own_account, error_r) < 0)
		return -1;
	if (strcmp(*account_r, own_account) == 0) {
		/* A value of the session says nothing about another user. */
		*error_r = t_strdup_printf(
			"pgbox_account must hold %%{owner_user} for "
			"namespace %s, where others share their mail",
			ns->prefix);
		return -1;
	}
	return 0;
}

/*
 * Services
 */

/* What mail processes use, as long as it is the same for all users: NULL if not */
static const char *
read_mail_dsn(struct event *event, pool_t pool, const char **error_r)
{
	const struct pgbox_settings *set;
	const char *dsn;

	if (settings_get(event, &pgbox_dsn_setting_parser_info, 0, &set,
			 error_r) < 0)
		return NULL;
	dsn = p_strdup(pool, set->dsn);
	settings_free(set);
	return dsn;
}

static void
read_notify_dsn(const struct pgbox_settings *set, pool_t pool,
		struct pgbox_service_settings *service_set)
{
	const char *const *pairs;
	unsigned int i, count;

	if (!array_is_created(&set->notify_dsn))
		return;
	pairs = array_get(&set->notify_dsn, &count);
	for (i = 0; i + 1 < count; i += 2) {
		pgbox_service_settings_add(service_set, pool, t_strconcat(
			"pgbox_notify_dsn/", pairs[i], NULL), pairs[i + 1]);
	}
}

void pgbox_settings_read_service(pool_t pool,
				 struct pgbox_service_settings *set_r,
				 const char **base_dir_r, const char **error_r)
{
	struct event *event = master_service_get_event(master_service);
	const struct pgbox_settings *set;

	if (master_service_settings_read_simple(master_service, error_r) < 0)
		i_fatal("Error reading configuration: %s", *error_r);
	set = settings_get_or_fatal(event, &pgbox_notify_setting_parser_info);

	*base_dir_r = master_service_get_service_settings(master_service)->base_dir;
	set_r->dir = p_strdup(pool, set->notify_dir);
	read_notify_dsn(set, pool, set_r);
	if (array_is_empty(&set_r->databases))
		pgbox_service_settings_add(set_r, pool, "pgbox_dsn", NULL);
	set_r->mail_dsn = read_mail_dsn(event, pool, error_r);
	settings_free(set);
}
