select dim_date_pk, calendar_date, year, month, month_period,
       month_year, day, day_name
from cleansed.dim_date
