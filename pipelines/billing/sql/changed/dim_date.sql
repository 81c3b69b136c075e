-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(dim_date_pk, '∅'), coalesce(calendar_date, '∅'), coalesce(year, '∅'),
               coalesce(month, '∅'), coalesce(month_period, '∅'), coalesce(month_year, '∅'),
               coalesce(day, '∅'), coalesce(day_name, '∅'))) as landed_as
    from raw.dim_date
)
select l.* from landed l
left anti join cleansed.dim_date c on c.landed_as = l.landed_as
