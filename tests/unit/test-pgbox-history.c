/* What a host remembers of a database's history: the newest, whoever saw it, and
   nothing at all of a file that makes no sense. */

#include "pgbox-config.h"
#include "lib.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <dirent.h>

#include "pgbox-history.h"

#define DSN "dbname=mail"

/* system identifier, timeline, position, epoch, raised_at */
static const struct {
	const char *name;
	struct pgbox_history_position old, seen;
	bool newer;
} order[] = {
	{ "first", { 0, 0, 0, 0, 0 }, { 1, 1, 5, 7, 9 }, TRUE },
	{ "further", { 1, 1, 5, 7, 9 }, { 1, 1, 6, 7, 9 }, TRUE },
	{ "behind", { 1, 1, 5, 7, 9 }, { 1, 1, 4, 7, 9 }, FALSE },
	{ "new epoch", { 1, 1, 5, 7, 9 }, { 1, 1, 4, 8, 10 }, TRUE },
	{ "promotion", { 1, 1, 5, 7, 9 }, { 1, 2, 4, 8, 10 }, TRUE },
	{ "other cluster", { 1, 1, 5, 7, 9 }, { 2, 1, 4, 8, 10 }, TRUE },
	{ "old epoch", { 1, 1, 5, 7, 9 }, { 1, 1, 6, 6, 8 }, FALSE },
	{ "left behind", { 1, 2, 5, 7, 9 }, { 1, 1, 6, 6, 8 }, FALSE },
};

static void test_order(void **state ATTR_UNUSED)
{
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(order); i++) {
		struct pgbox_history *history = pgbox_history_get(DSN, NULL);
		struct pgbox_history_position got;

		if (order[i].old.epoch != 0)
			pgbox_history_seen(history, &order[i].old);
		pgbox_history_seen(history, &order[i].seen);
		pgbox_history_read(history, &got);
		if ((memcmp(&got, &order[i].seen, sizeof(got)) == 0) !=
		    order[i].newer)
			fail_msg("%s", order[i].name);
		pgbox_history_deinit();
	}
}

static char *dir;

static int make_dir(void **state ATTR_UNUSED)
{
	dir = i_strdup("/tmp/test-pgbox-history.XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static const char *find_file(void)
{
	DIR *d = opendir(dir);
	const char *path = NULL;
	struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		if (strncmp(entry->d_name, ".history.", 9) == 0)
			path = t_strdup_printf("%s/%s", dir, entry->d_name);
	}
	assert_int_equal(closedir(d), 0);
	return path;
}

static int remove_dir(void **state ATTR_UNUSED)
{
	const char *path = find_file();

	if (path != NULL)
		(void)unlink(path);
	(void)rmdir(dir);
	i_free(dir);
	pgbox_history_deinit();
	return 0;
}

static void
assert_remembered(const char *conninfo,
		  const struct pgbox_history_position *wanted)
{
	struct pgbox_history_position got;

	/* as another process */
	pgbox_history_deinit();
	pgbox_history_read(pgbox_history_get(conninfo, dir), &got);
	assert_memory_equal(&got, wanted, sizeof(got));
}

static void test_file(void **state ATTR_UNUSED)
{
	static const struct pgbox_history_position nothing,
		first = { 1, 1, 5, 7, 9 }, further = { 1, 1, 8, 7, 9 };
	struct pgbox_history *history = pgbox_history_get(DSN, dir);

	pgbox_history_seen(history, &first);
	assert_remembered(DSN, &first);
	assert_remembered("dbname=other", &nothing);

	/* only of the server that it was seen on */
	pgbox_history_deinit();
	history = pgbox_history_get(DSN, dir);
	pgbox_history_advanced(history, 8);
	assert_remembered(DSN, &first);
	history = pgbox_history_get(DSN, dir);
	pgbox_history_seen(history, &first);
	pgbox_history_advanced(history, 8);
	pgbox_history_advanced(history, 6);
	assert_remembered(DSN, &further);
}

static void test_damaged_file(void **state ATTR_UNUSED)
{
	static const struct pgbox_history_position nothing,
		seen = { 1, 1, 5, 7, 9 };
	unsigned char byte;
	off_t offset;
	int fd;

	pgbox_history_seen(pgbox_history_get(DSN, dir), &seen);
	for (offset = 0; offset < 56; offset++) {
		fd = open(find_file(), O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, offset), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
		assert_remembered(DSN, &nothing);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
		assert_remembered(DSN, &seen);
		(void)close(fd);
	}
	assert_int_equal(truncate(find_file(), 20), 0);
	assert_remembered(DSN, &nothing);
	pgbox_history_seen(pgbox_history_get(DSN, dir), &seen);
	assert_remembered(DSN, &seen);
}

static void test_told_once(void **state ATTR_UNUSED)
{
	assert_true(pgbox_history_may_tell(pgbox_history_get(DSN, dir)));
	assert_false(pgbox_history_may_tell(pgbox_history_get(DSN, dir)));
	pgbox_history_deinit();
	assert_false(pgbox_history_may_tell(pgbox_history_get(DSN, dir)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test_setup_teardown(test_file, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_damaged_file, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_told_once, make_dir,
						remove_dir),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
