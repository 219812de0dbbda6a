-- The roles of pgbox. They cannot log in: grant them to roles that can.
-- Roles belong to the whole server, so another database may have made them.
--   pgbox_owner    owns every object
--   pgbox_mail     what the frontends' login role is a member of
--   pgbox_analyst  reads the views, never a body

select format('create role %I nologin', role_name)
from (values ('pgbox_owner'), ('pgbox_mail'), ('pgbox_analyst')) as role (role_name)
where to_regrole(role_name) is null
\gexec

-- The installer works as pgbox_owner. Being a member is not enough from
-- PostgreSQL 16 on, where the right to SET ROLE is granted apart.
select current_setting('server_version_num')::int >= 160000 as set_is_apart
\gset
\if :set_is_apart
select format('grant pgbox_owner to %I with set true', current_user)
where not pg_has_role(current_user, 'pgbox_owner', 'set')
\gexec
\else
select format('grant pgbox_owner to %I', current_user)
where not pg_has_role(current_user, 'pgbox_owner', 'member')
\gexec
\endif

select format('grant create on database %I to pgbox_owner', current_database())
where not has_database_privilege('pgbox_owner', current_database(), 'create')
\gexec
