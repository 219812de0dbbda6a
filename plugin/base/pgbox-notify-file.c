/* Names of wake-up files. Knows nothing of who uses them. */

#include "pgbox-config.h"
#include "lib.h"
#include "hex-binary.h"
#include "sha2.h"
#include "pgbox-notify-file.h"

const char *pgbox_notify_mailbox_name(const guid_128_t guid)
{
	return guid_128_to_string(guid);
}

const char *pgbox_notify_account_name(const char *account)
{
	unsigned char digest[SHA256_RESULTLEN];

	sha256_get_digest(account, strlen(account), digest);
	return binary_to_hex(digest, PGBOX_NOTIFY_NAME_LEN / 2);
}

bool pgbox_notify_name_is_valid(const char *name)
{
	return strlen(name) == PGBOX_NOTIFY_NAME_LEN &&
		strspn(name, "0123456789abcdef") == PGBOX_NOTIFY_NAME_LEN;
}
