/* When a command must ask again: after it has changed something, and when it is
   another one. */

#include "pgbox-config.h"
#include "lib.h"
#include "ioloop.h"
#include "lib-event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pgbox-moment.h"

static void test_zeroed_is_no_moment(void **state ATTR_UNUSED)
{
	struct pgbox_moment moment = { .change_count = 0 };

	assert_false(pgbox_moment_is_same_command(&moment));
}

static void test_own_change(void **state ATTR_UNUSED)
{
	struct pgbox_moment moment;

	pgbox_moment_set(&moment, NULL);
	assert_true(pgbox_moment_is_same_command(&moment));
	pgbox_moment_changed();
	assert_false(pgbox_moment_is_same_command(&moment));
}

/* As with Dovecot 2.4, where the ioloop need not wait between two commands */
static void test_next_command(void **state ATTR_UNUSED)
{
	struct event *command = event_create(NULL);
	struct event *other = event_create(command);
	struct pgbox_moment moment;

	event_add_str(command, "cmd_tag", "a1");
	pgbox_moment_set(&moment, NULL);
	event_unref(&other);
	assert_true(pgbox_moment_is_same_command(&moment));
	event_unref(&command);
	assert_false(pgbox_moment_is_same_command(&moment));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_is_no_moment),
		cmocka_unit_test(test_own_change),
		cmocka_unit_test(test_next_command),
	};
	struct ioloop *ioloop;
	int ret;

	lib_init();
	ioloop = io_loop_create();
	pgbox_moment_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	pgbox_moment_deinit();
	io_loop_destroy(&ioloop);
	lib_deinit();
	return ret;
}
