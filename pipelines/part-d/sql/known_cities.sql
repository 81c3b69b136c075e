-- By both spellings of their names.
select state_code, city from cleansed.city where load_date = $date
union
select state_code, city_ascii from cleansed.city where load_date = $date
