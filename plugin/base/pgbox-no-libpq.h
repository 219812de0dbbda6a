/* Only files of db/ know libpq. All others are compiled with this one before: the
   header's own guard is a word that they may not read. */
#pragma GCC poison LIBPQ_FE_H
