/* Files in which a host remembers something. Knows nothing of what that is. */

#include "pgbox-config.h"
#include "lib.h"
#include "crc32.h"
#include "hex-binary.h"
#include "sha2.h"
#include "pgbox-host-file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mail processes read the file of the service. */
#define HOST_FILE_MODE 0644
/* Octets of the hash that tells connection strings apart */
#define HOST_KEY_LEN 16

static uint32_t
record_checksum(const struct pgbox_host_record *record, size_t size)
{
	size_t offset = offsetof(struct pgbox_host_record, unused);

	return crc32_data((const unsigned char *)record + offset,
			  size - offset);
}

static const char *
host_file_path(const struct pgbox_host_file *file, uid_t uid)
{
	unsigned char digest[SHA256_RESULTLEN];

	sha256_get_digest(file->conninfo, strlen(file->conninfo), digest);
	return t_strdup_printf("%s/.%s.%s.%lu", file->dir, file->kind,
			       binary_to_hex(digest, HOST_KEY_LEN),
			       (unsigned long)uid);
}

static int
host_file_open(const struct pgbox_host_file *file, uid_t uid, int flags)
{
	struct stat st;
	int fd;

	fd = open(host_file_path(file, uid),
		  flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, HOST_FILE_MODE);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != uid) {
		i_close_fd(&fd);
		return -1;
	}
	/* whatever the umask is */
	if (flags != O_RDONLY && (st.st_mode & 0777) != HOST_FILE_MODE)
		(void)fchmod(fd, HOST_FILE_MODE);
	return fd;
}

bool pgbox_host_file_read(const struct pgbox_host_file *file, uid_t uid,
			  struct pgbox_host_record *record_r, size_t size)
{
	bool ret;
	int fd;

	T_BEGIN {
		fd = host_file_open(file, uid, O_RDONLY);
	} T_END;
	if (fd == -1)
		return FALSE;
	ret = pread(fd, record_r, size, 0) == (ssize_t)size &&
		record_r->checksum == record_checksum(record_r, size);
	i_close_fd(&fd);
	return ret;
}

void pgbox_host_file_write(const struct pgbox_host_file *file,
			   struct pgbox_host_record *record, size_t size)
{
	const int flags = O_WRONLY | O_CREAT;
	int fd;

	record->checksum = record_checksum(record, size);
	T_BEGIN {
		fd = host_file_open(file, geteuid(), flags);
		/* the directory of a user who is new to this host */
		if (fd == -1 && errno == ENOENT && mkdir(file->dir, 0700) == 0)
			fd = host_file_open(file, geteuid(), flags);
	} T_END;
	if (fd == -1)
		return;
	if (pwrite(fd, record, size, 0) < 0) {
		/* then this process knows it alone */
	}
	i_close_fd(&fd);
}
