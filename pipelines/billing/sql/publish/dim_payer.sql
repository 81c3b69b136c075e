select dim_payer_pk, payer_name
from cleansed.dim_payer
