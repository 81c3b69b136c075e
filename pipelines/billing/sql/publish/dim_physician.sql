select dim_physician_pk, provider_npi, provider_name, provider_specialty, provider_fte
from cleansed.dim_physician
