-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_patient_pk, '∅'), coalesce(patient_number, '∅'), coalesce(first_name, '∅'),
               coalesce(last_name, '∅'), coalesce(email, '∅'), coalesce(patient_gender, '∅'),
               coalesce(patient_age, '∅'), coalesce(city, '∅'), coalesce(state, '∅'))) as landed_as
    from raw.dim_patient
)
select l.* from landed l
left anti join cleansed.dim_patient c on c.landed_as = l.landed_as
