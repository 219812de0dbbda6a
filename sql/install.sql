-- Tables, indexes and sequences of a new schema. Functions, views and grants follow
-- in code.sql and grants.sql, which an upgrade runs again too.

\ir schema/01-schema.sql
\ir schema/02-account.sql
\ir schema/03-message.sql
\ir schema/04-mail.sql
\ir schema/05-text.sql
