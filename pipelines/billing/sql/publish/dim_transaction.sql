select dim_transaction_pk, transaction_type, transaction, adjustment_reason
from cleansed.dim_transaction
