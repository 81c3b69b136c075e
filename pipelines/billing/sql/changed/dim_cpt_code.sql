-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_cpt_code_pk, '∅'), coalesce(cpt_code, '∅'), coalesce(cpt_desc, '∅'),
               coalesce(cpt_grouping, '∅'))) as landed_as
    from raw.dim_cpt_code
)
select l.* from landed l
left anti join cleansed.dim_cpt_code c on c.landed_as = l.landed_as
