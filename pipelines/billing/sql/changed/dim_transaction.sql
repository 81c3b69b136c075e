-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_transaction_pk, '∅'), coalesce(transaction_type, '∅'), coalesce(transaction, '∅'),
               coalesce(adjustment_reason, '∅'))) as landed_as
    from raw.dim_transaction
)
select l.* from landed l
left anti join cleansed.dim_transaction c on c.landed_as = l.landed_as
