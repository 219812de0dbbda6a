/* Dovecot 2.4: has Dovecot read the settings of a namespace. Knows nothing of what
   they are used for. */

#include "pgbox-config.h"
#include "lib.h"
#include "settings.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mailbox-list-private.h"
#include "pgbox-settings-info.h"
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

	*name_r = PGBOX_SETTING_ACCOUNT;
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
			PGBOX_SETTING_ACCOUNT" must hold %%{owner_user} for "
			"namespace %s, where others share their mail",
			ns->prefix);
		return -1;
	}
	return 0;
}
