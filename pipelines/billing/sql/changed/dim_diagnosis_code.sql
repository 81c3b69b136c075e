-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_diagnosis_code_pk, '∅'), coalesce(diagnosis_code, '∅'), coalesce(diagnosis_code_description, '∅'),
               coalesce(diagnosis_code_group, '∅'))) as landed_as
    from raw.dim_diagnosis_code
)
select l.* from landed l
left anti join cleansed.dim_diagnosis_code c on c.landed_as = l.landed_as
