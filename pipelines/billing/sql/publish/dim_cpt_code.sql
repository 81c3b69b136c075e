select dim_cpt_code_pk, cpt_code, cpt_desc, cpt_grouping
from cleansed.dim_cpt_code
