/* What a mail process believes of the table of changes: everything that has come
   in, and nothing when it doesn't come in. */

#include "pgbox-config.h"
#include "lib.h"
#include "unlink-directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include <cmocka.h>

#include "pgbox-notify-changes.h"
#include "pgbox-notify-file.h"

#define NAME "00112233445566778899aabbccddeeff"
#define OTHER_NAME "ffeeddccbbaa99887766554433221100"

#define OWN_WRITER 4711
#define OTHER_WRITER 4712

static char dir[] = "/tmp/test-pgbox-notify-changes-XXXXXX";
static char *path;

/* The service: a process of its own, as its own lock tells nobody anything. It does
   what the words say, one for each byte that it gets. */
static pid_t service_pid;
static int service_in, service_out;

static void service_do(struct pgbox_notify_changes **changes, char word)
{
	const char *error;
	int ret = 0;

	switch (word) {
	case 'b':
		*changes = pgbox_notify_changes_create(path, &error);
		ret = *changes == NULL ? -1 : 0;
		break;
	case 'e':
		pgbox_notify_changes_destroy(changes);
		break;
	case 'o':
		ret = pgbox_notify_changes_add(*changes, NAME, OWN_WRITER,
					       &error);
		break;
	case 'w':
		ret = pgbox_notify_changes_add(*changes, NAME, OTHER_WRITER,
					       &error);
		break;
	case 'h':
		ret = pgbox_notify_changes_add(*changes, NAME, 0, &error);
		break;
	case 'n':
		ret = pgbox_notify_changes_add(*changes, OTHER_NAME, 0, &error);
		break;
	case 'a':
		ret = pgbox_notify_changes_add_all(*changes, &error);
		break;
	case 't':
		ret = pgbox_notify_changes_touch(*changes, &error);
		break;
	}
	word = ret == 0 ? '+' : '-';
	if (write(service_out, &word, 1) != 1)
		_exit(1);
}

static void service_run(void)
{
	struct pgbox_notify_changes *changes = NULL;
	char word;

	while (read(service_in, &word, 1) == 1) T_BEGIN {
		service_do(&changes, word);
	} T_END;
	_exit(0);
}

static int service_start(void **state ATTR_UNUSED)
{
	int in[2], out[2];

	if (pipe(in) < 0 || pipe(out) < 0)
		return -1;
	service_pid = fork();
	if (service_pid == 0) {
		service_in = in[0];
		service_out = out[1];
		i_close_fd(&in[1]);
		service_run();
	}
	i_close_fd(&in[0]);
	i_close_fd(&out[1]);
	service_in = in[1];
	service_out = out[0];
	return service_pid == -1 ? -1 : 0;
}

static int service_kill(void **state ATTR_UNUSED)
{
	int status;

	if (service_pid != 0) {
		(void)kill(service_pid, SIGKILL);
		(void)waitpid(service_pid, &status, 0);
		i_close_fd(&service_in);
		i_close_fd(&service_out);
	}
	service_pid = 0;
	return 0;
}

static bool service_did(char word)
{
	char answer;

	assert_int_equal(write(service_in, &word, 1), 1);
	assert_int_equal(read(service_out, &answer, 1), 1);
	return answer == '+';
}

/* What the service does after a mark, and whether the name is unchanged then */
static const struct {
	const char *words;
	bool unchanged, unchanged_but_own;
} rows[] = {
	{ "", TRUE, TRUE },
	{ "n", TRUE, TRUE },
	{ "t", TRUE, TRUE },
	{ "h", FALSE, FALSE },
	{ "w", FALSE, FALSE },
	{ "o", FALSE, TRUE },
	{ "ooo", FALSE, TRUE },
	{ "ho", FALSE, FALSE },
	{ "wo", FALSE, FALSE },
	{ "oho", FALSE, FALSE },
	{ "owo", FALSE, FALSE },
	{ "ow", FALSE, FALSE },
	{ "no", FALSE, TRUE },
	{ "a", FALSE, FALSE },
	{ "e", FALSE, FALSE },
	{ "eb", FALSE, FALSE },
	/* another file of the same name */
	{ "b", FALSE, FALSE },
};

static void test_changes_after_mark(void **state ATTR_UNUSED)
{
	struct pgbox_notify_table *table = pgbox_notify_table_init(path);
	struct pgbox_notify_mark mark;
	const char *word;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(rows); i++) {
		assert_true(service_did('b'));
		/* what was before it doesn't matter */
		assert_true(service_did('h') && service_did('o'));
		pgbox_notify_table_get_mark(table, &mark);
		assert_true(mark.instance != 0);
		for (word = rows[i].words; *word != '\0'; word++)
			assert_true(service_did(*word));
		if (pgbox_notify_table_is_unchanged(table, &mark, NAME, 0) !=
		    rows[i].unchanged ||
		    pgbox_notify_table_is_unchanged(table, &mark, NAME,
						    OWN_WRITER) !=
		    rows[i].unchanged_but_own)
			fail_msg("after '%s'", rows[i].words);
	}
	pgbox_notify_table_deinit(&table);
}

static void test_no_service(void **state ATTR_UNUSED)
{
	struct pgbox_notify_table *table = pgbox_notify_table_init(path);
	struct pgbox_notify_mark mark, no_mark = { .instance = 0 };

	pgbox_notify_table_get_mark(table, &mark);
	assert_int_equal(mark.instance, 0);
	assert_true(service_did('b'));
	assert_false(pgbox_notify_table_is_unchanged(table, &no_mark, NAME, 0));
	pgbox_notify_table_get_mark(table, &mark);
	assert_true(pgbox_notify_table_is_unchanged(table, &mark, NAME, 0));

	/* its file stays, and is still young */
	service_kill(state);
	assert_int_equal(access(path, F_OK), 0);
	assert_false(pgbox_notify_table_is_alive(table));
	assert_false(pgbox_notify_table_is_unchanged(table, &mark, NAME, 0));
	pgbox_notify_table_deinit(&table);
}

static void test_service_hangs(void **state ATTR_UNUSED)
{
	struct pgbox_notify_table *table = pgbox_notify_table_init(path);
	struct utimbuf times;

	assert_true(service_did('b'));
	assert_true(pgbox_notify_table_is_alive(table));
	times.actime = times.modtime =
		time(NULL) - PGBOX_NOTIFY_ALIVE_MAX_AGE_SECS;
	assert_int_equal(utime(path, &times), 0);
	assert_false(pgbox_notify_table_is_alive(table));
	assert_true(service_did('t'));
	assert_true(pgbox_notify_table_is_alive(table));
	pgbox_notify_table_deinit(&table);
}

static void test_file_removed(void **state ATTR_UNUSED)
{
	struct pgbox_notify_table *table = pgbox_notify_table_init(path);

	assert_true(service_did('b'));
	assert_true(pgbox_notify_table_is_alive(table));
	i_unlink(path);
	assert_false(pgbox_notify_table_is_alive(table));
	/* the service notices */
	assert_false(service_did('t'));
	pgbox_notify_table_deinit(&table);
}

static void test_other_file(void **state ATTR_UNUSED)
{
	static const char *const contents[] = { "", "no table" };
	struct pgbox_notify_table *table;
	unsigned int i;
	FILE *file;

	for (i = 0; i < N_ELEMENTS(contents); i++) {
		file = fopen(path, "w");
		assert_non_null(file);
		assert_true(fputs(contents[i], file) >= 0);
		assert_int_equal(fclose(file), 0);
		table = pgbox_notify_table_init(path);
		assert_false(pgbox_notify_table_is_alive(table));
		pgbox_notify_table_deinit(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_after_mark,
						service_start, service_kill),
		cmocka_unit_test_setup_teardown(test_no_service,
						service_start, service_kill),
		cmocka_unit_test_setup_teardown(test_service_hangs,
						service_start, service_kill),
		cmocka_unit_test_setup_teardown(test_file_removed,
						service_start, service_kill),
		cmocka_unit_test(test_other_file),
	};
	const char *error;
	int ret;

	lib_init();
	if (mkdtemp(dir) == NULL)
		i_fatal("mkdtemp(%s) failed: %m", dir);
	path = i_strconcat(dir, "/table", NULL);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	i_free(path);
	if (unlink_directory(dir, UNLINK_DIRECTORY_FLAG_RMDIR, &error) < 0)
		i_error("unlink_directory(%s) failed: %s", dir, error);
	lib_deinit();
	return ret;
}
