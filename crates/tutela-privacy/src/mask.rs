//! What stands in place of a value that is masked, and whether the column takes it.

use serde_json::Value;

use crate::{
    dataset::{Field, Masking},
    schema::{Column, ColumnKind},
};

/// Makes words out of values that cannot be turned back: a keyed hash in hexadecimal, 64 characters.
pub trait Pseudonyms: Sync {
    /// The word for a value.
    fn word(&self, value: &str) -> String;
}

/// What a field of a row becomes. The error says why the column would not take it: that is known before anything is touched.
pub fn masked(field: &Field, column: Option<&Column>, value: &Value, row: &str, words: &dyn Pseudonyms) -> Result<Value, String> {
    let nullable = column.is_none_or(|column| column.nullable);
    let Some(masking) = &field.masking else { return usual(field, column, value, row, words) };
    let setting = |name: &str| masking.configuration.get(name);
    let text = match masking.strategy.as_str() {
        "null_rewrite" if nullable => return Ok(Value::Null),
        "null_rewrite" => return Err("`null_rewrite` makes it empty, and the column takes no empty value".into()),
        "string_rewrite" => setting("rewrite_value").and_then(|value| value.as_str()).unwrap_or("MASKED").to_owned(),
        "hash" | "hmac" | "aes_encrypt" => words.word(&text_of(value)),
        "random_string_rewrite" => {
            let length = setting("length").and_then(serde_yaml_ng::Value::as_u64).unwrap_or(30).min(64) as usize;
            words.word(&format!("{row}\u{1f}{}", field.name)).chars().take(length).collect::<String>() + &suffix(masking)
        }
        "random_number_rewrite" => return Ok(Value::from(number(&words.word(&format!("{row}\u{1f}{}", field.name))))),
        other => {
            return Err(format!(
                "there is no masking `{other}`; there are null_rewrite, string_rewrite, hash, hmac, random_string_rewrite and random_number_rewrite"
            ));
        }
    };
    fits(&text, column).map(|()| Value::from(text))
}

/// Without a word about it: empty where the column may be empty, else something that it takes and that says nothing.
fn usual(field: &Field, column: Option<&Column>, value: &Value, row: &str, words: &dyn Pseudonyms) -> Result<Value, String> {
    let Some(column) = column.filter(|column| !column.nullable) else { return Ok(Value::Null) };
    Ok(match column.kind {
        _ if column.unique && column.kind != ColumnKind::Text => {
            return Err("it is unique and not empty, and nothing else than a text can be made for it: say how it is masked".into());
        }
        ColumnKind::Text if column.unique => {
            let word = format!("erased-{}", words.word(&format!("{row}\u{1f}{}", field.name)).chars().take(24).collect::<String>());
            let most = column.length.unwrap_or(u32::MAX) as usize;
            if most < 12 {
                return Err(format!("it is unique and takes {most} characters: too few for a word of its own"));
            }
            Value::from(word.chars().take(most).collect::<String>())
        }
        ColumnKind::Text => Value::from(""),
        ColumnKind::Number => Value::from(0),
        ColumnKind::Boolean => Value::from(false),
        ColumnKind::Date => Value::from("1970-01-01"),
        ColumnKind::Json => Value::from("{}"),
        ColumnKind::Bytes => Value::from(""),
        ColumnKind::Uuid => Value::from("00000000-0000-0000-0000-000000000000"),
        ColumnKind::Other if value.is_null() => Value::Null,
        ColumnKind::Other => return Err("its type is not known here, and it may not be empty: say how it is masked".into()),
    })
}

fn fits(text: &str, column: Option<&Column>) -> Result<(), String> {
    let Some(column) = column else { return Ok(()) };
    if column.kind != ColumnKind::Text {
        return Err("a text would be written, and the column takes none".into());
    }
    let (has, most) = (text.chars().count(), column.length.unwrap_or(u32::MAX) as usize);
    if has > most { Err(format!("{has} characters would be written, and the column takes {most}")) } else { Ok(()) }
}

fn suffix(masking: &Masking) -> String {
    let kept = masking.configuration.get("format_preservation").and_then(|kept| kept.get("suffix")?.as_str());
    kept.unwrap_or_default().to_owned()
}

fn number(word: &str) -> u64 {
    u64::from_str_radix(&word.chars().take(7).collect::<String>(), 16).unwrap_or(0)
}

/// A value as text: `7` and `"7"` are one.
pub fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
