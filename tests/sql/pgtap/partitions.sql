-- An admin may divide the mails into partitions by account: what a command does to mails
-- of one account does not touch those of another that lie at the same place.
begin;
set local search_path = tap, public;
select plan(6);

alter table pgbox.mail rename to whole;
create table pgbox.mail (like pgbox.whole including all) partition by hash (account_id);
create table pgbox.mail_0 partition of pgbox.mail for values with (modulus 2, remainder 0);
create table pgbox.mail_1 partition of pgbox.mail for values with (modulus 2, remainder 1);
alter table pgbox.mail owner to pgbox_owner;

select tap.new_mailbox('a');
select tap.new_mailbox('b');
select tap.save('a', 5);
select tap.new_mailbox('a', 'other' || n) from generate_series(1, 8) n;
select tap.save('a', 5, p_account => 'other' || n) from generate_series(1, 8) n;
create temporary view others as
select count(*)
from pgbox.mail m
join pgbox.account a using (account_id)
where a.name like 'other%';

select is((select count(distinct tableoid) from pgbox.mail), 2::bigint, 'both partitions have mails');
select tap.change('a', '{1}', p_expunge => true);
select is((select count from others), 40::bigint, 'an expunge leaves mails of other accounts');
select tap.copy('a', '{2,3}', 'b', p_move => true);
select is((select count from others), 40::bigint, 'so does a move');
select tap.change('a', '{4}', p_add => 8);
select is((select count(*) from pgbox.mail where flags <> 0), 1::bigint, 'flags change in one account');
select is(tap.mails('a') || ' ' || tap.mails('b'), '4:8 5:0 1:0 2:0', 'which has what is left');
select is(tap.counters('a') || ' ' || tap.counters('b'), '2/1/8 6 2/2/8 3', 'and its counters');

select * from finish();
rollback;
