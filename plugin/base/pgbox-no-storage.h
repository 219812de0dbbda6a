/* Only files of storage/ and settings/ know lib-storage and lib-index. All others are
   compiled with this one before: the guards of those headers, one of which each
   further one includes, are words that they may not read. */
#pragma GCC poison MAIL_INDEX_H MAIL_NAMESPACE_H MAIL_STORAGE_H MAIL_USER_H MAILBOX_LIST_H
