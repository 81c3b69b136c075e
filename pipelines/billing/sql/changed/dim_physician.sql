-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_physician_pk, '∅'), coalesce(provider_npi, '∅'), coalesce(provider_name, '∅'),
               coalesce(provider_specialty, '∅'), coalesce(provider_fte, '∅'))) as landed_as
    from raw.dim_physician
)
select l.* from landed l
left anti join cleansed.dim_physician c on c.landed_as = l.landed_as
