#ifndef PGBOX_HOST_FILE_H
#define PGBOX_HOST_FILE_H

/* A small record that the processes of this host share. Everybody can make files in
   the directory of wake-up files, so each uid has a file of its own. All of it may
   be lost, and whatever is in the file that nobody has written is as good as
   nothing. */

struct pgbox_host_file {
	/* where it is */
	const char *dir;
	/* what is in it, and the connection string that it is about */
	const char *kind, *conninfo;
};

/* What each record begins with */
struct pgbox_host_record {
	/* of what follows */
	uint32_t checksum;
	uint32_t unused;
};

/* Reads what the uid has written. Returns FALSE if there is nothing. */
bool pgbox_host_file_read(const struct pgbox_host_file *file, uid_t uid,
			  struct pgbox_host_record *record_r, size_t size);
/* Writes a record of our own, if that is possible. */
void pgbox_host_file_write(const struct pgbox_host_file *file,
			   struct pgbox_host_record *record, size_t size);

#endif
