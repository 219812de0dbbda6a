-- The local index of this frontend has seen more of the epoch than there is.
-- $1 epoch
select pgbox.history_lost($1)
