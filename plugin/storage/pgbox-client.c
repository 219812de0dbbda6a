/* The IMAP client of this process, if it has one. Knows nothing of what it asked
   for. */

#include "imap-common.h"
#include "pgbox-client.h"

/* of the program imap; others have none */
#pragma weak imap_clients

int pgbox_client_get_fd(const struct mail_user *user)
{
	const struct client *client;

	if (&imap_clients == NULL)
		return 0;
	for (client = imap_clients; client != NULL; client = client->next) {
		if (client->user == user)
			return client->fd_in;
	}
	return 0;
}
