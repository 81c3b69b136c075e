-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_payer_pk, '∅'), coalesce(payer_name, '∅'))) as landed_as
    from raw.dim_payer
)
select l.* from landed l
left anti join cleansed.dim_payer c on c.landed_as = l.landed_as
