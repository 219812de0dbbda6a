/* Registers the storage and the mailbox list driver with Dovecot. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-chunk.h"
#include "pgbox-db.h"
#include "pgbox-history.h"
#include "pgbox-moment.h"
#include "pgbox-storage.h"
#include "pgbox-destination.h"
#include "pgbox-list-private.h"
#include "pgbox-plugin.h"

const char *pgbox_plugin_version = DOVECOT_ABI_VERSION;

void pgbox_plugin_init(struct module *module ATTR_UNUSED)
{
	pgbox_db_init();
	pgbox_moment_init();
	mail_storage_class_register(&pgbox_storage);
	mailbox_list_register(&pgbox_mailbox_list);
}

void pgbox_plugin_deinit(void)
{
	mailbox_list_unregister(&pgbox_mailbox_list);
	mail_storage_class_unregister(&pgbox_storage);
	pgbox_destination_deinit();
	pgbox_chunk_deinit();
	pgbox_moment_deinit();
	pgbox_db_deinit();
	pgbox_history_deinit();
}
