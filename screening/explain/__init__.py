"""Why a candidate has its rank."""
