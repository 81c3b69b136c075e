select dim_location_pk, location_name
from cleansed.dim_location
