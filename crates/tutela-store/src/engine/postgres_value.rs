//! Values on their way to PostgreSQL and back.

use tokio_postgres::types::{FromSql, IsNull, ToSql, Type as PgType, to_sql_checked};
use tutela_core::Timestamp;
use uuid::Uuid;

use crate::{
    Error,
    sql::Sql,
    value::{Row, Type, Value},
};

/// Parameters with the types of their columns.
pub(crate) fn typed_as<'a>(types: &[Type], params: &'a [Value]) -> Vec<(&'a (dyn ToSql + Sync), PgType)> {
    params.iter().zip(types).map(|(value, of)| (value as &(dyn ToSql + Sync), pg_type(*of))).collect()
}

/// Parameters with the types that the statement declares.
pub(crate) fn typed<'a>(sql: &Sql, params: &'a [Value]) -> Vec<(&'a (dyn ToSql + Sync), PgType)> {
    typed_as(sql.params, params)
}

pub(crate) fn pg_type(of: Type) -> PgType {
    match of {
        Type::Blobs => PgType::BYTEA_ARRAY,
        Type::Bytes => PgType::BYTEA,
        Type::Id => PgType::UUID,
        Type::Ids => PgType::UUID_ARRAY,
        Type::Int => PgType::INT8,
        Type::Ints => PgType::INT8_ARRAY,
        Type::Json => PgType::JSONB,
        Type::Text => PgType::TEXT,
        Type::Texts => PgType::TEXT_ARRAY,
        Type::Time => PgType::TIMESTAMPTZ,
        Type::Times => PgType::TIMESTAMPTZ_ARRAY,
    }
}

pub(crate) fn row(row: &tokio_postgres::Row) -> Result<Row, Error> {
    let value = |index: usize| -> Result<Value, tokio_postgres::Error> {
        let of = row.columns()[index].type_();
        Ok(match *of {
            PgType::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
            PgType::UUID => row.try_get::<_, Option<Uuid>>(index)?.into(),
            PgType::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            PgType::JSONB => row.try_get::<_, Option<serde_json::Value>>(index)?.into(),
            PgType::TIMESTAMPTZ => row.try_get::<_, Option<Micros>>(index)?.map(|m| m.0).into(),
            _ => row.try_get::<_, Option<String>>(index)?.into(),
        })
    };
    let values: Result<Vec<Value>, tokio_postgres::Error> = (0..row.len()).map(value).collect();
    values.map(Row).map_err(|e| Error::Decode(e.to_string()))
}

/// A `timestamptz` as PostgreSQL sends it: microseconds since 2000-01-01.
#[derive(Debug)]
struct Micros(Timestamp);

const Y2000: i64 = 946_684_800_000_000;

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &PgType, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Timestamp::from_micros(i64::from_be_bytes(raw.try_into()?).saturating_add(Y2000))))
    }
    fn accepts(of: &PgType) -> bool {
        *of == PgType::TIMESTAMPTZ
    }
}

impl ToSql for Micros {
    fn to_sql(&self, _: &PgType, out: &mut bytes::BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0.micros().saturating_sub(Y2000).to_be_bytes());
        Ok(IsNull::No)
    }
    fn accepts(of: &PgType) -> bool {
        *of == PgType::TIMESTAMPTZ
    }
    to_sql_checked!();
}

impl ToSql for Value {
    fn to_sql(&self, of: &PgType, out: &mut bytes::BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Blobs(list) => list.to_sql(of, out),
            Self::Bytes(bytes) => bytes.to_sql(of, out),
            Self::Id(id) => id.to_sql(of, out),
            Self::Ids(list) => list.to_sql(of, out),
            Self::Int(n) => n.to_sql(of, out),
            Self::Ints(list) => list.to_sql(of, out),
            Self::Json(json) => json.to_sql(of, out),
            Self::Text(text) => text.to_sql(of, out),
            Self::Texts(list) => list.to_sql(of, out),
            Self::Time(time) => Micros(*time).to_sql(of, out),
            Self::Times(list) => list.iter().map(|t| Micros(*t)).collect::<Vec<_>>().to_sql(of, out),
        }
    }
    fn accepts(_: &PgType) -> bool {
        true
    }
    to_sql_checked!();
}
