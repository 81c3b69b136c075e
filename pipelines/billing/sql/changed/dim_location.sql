-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_location_pk, '∅'), coalesce(location_name, '∅'))) as landed_as
    from raw.dim_location
)
select l.* from landed l
left anti join cleansed.dim_location c on c.landed_as = l.landed_as
