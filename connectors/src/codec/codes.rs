//! The stable codes of messages that cannot be decoded or encoded, with what to do about them.

macro_rules! codes {
    ($($name:ident $code:literal $summary:literal $cure:literal;)*) => {
        $(#[doc = $summary] pub(crate) const $name: &str = $code;)*

        /// Every code of message formats: code, what it means, and what to do about it.
        pub const CODES: &[(&str, &str, &str)] = &[$(($code, $summary, $cure),)*];
    };
}

codes! {
    MALFORMED "SW3101"
        "The payload does not follow the grammar of its format."
        "Look at the byte that the message names; the producer writes another format or cuts messages short.";
    WRONG_TYPE "SW3102"
        "A value is not of its column's type, or is outside its range."
        "Declare the column with the type that the producer writes, or correct the producer.";
    MISSING_FIELD "SW3103"
        "A required field is absent or null."
        "Drop the `!` from the column's type if the field may be absent, or correct the producer.";
    BAD_UTF8 "SW3104"
        "Text is not valid UTF-8."
        "Let the producer write UTF-8, or declare the column as `binary`.";
    NULL_PAYLOAD "SW3105"
        "The message has no value (a tombstone), and a column forbids nulls."
        "Drop the `!` from the columns' types to take tombstones as rows of nulls, or set them aside with `on_error`.";
    TOO_LARGE "SW3106"
        "The payload is larger than `max_bytes`."
        "Raise `max_bytes` of the format if such messages are expected.";
    TOO_DEEP "SW3107"
        "The payload is nested deeper than `max_depth`."
        "Raise `max_depth` of the format if such messages are expected.";
    UNKNOWN_SCHEMA "SW3108"
        "The schema registry does not know the schema that the message names."
        "Point `registry` at the registry that the producer uses.";
    WRONG_MAGIC "SW3109"
        "The message does not begin with the marker of its framing."
        "The producer writes without a schema registry, or another format: change `framing`.";
    UNKNOWN_FIELD "SW3110"
        "The payload holds a field that is no column."
        "Declare the column, or set `unknown_fields: ignore`.";
    TRUNCATED "SW3111"
        "The payload ends before its last value."
        "The producer cuts messages short, or writes another schema than the one declared.";
    TRAILING_BYTES "SW3112"
        "The payload goes on after its last value."
        "The producer writes another schema than the one declared.";
    OTHER_SCHEMA "SW3113"
        "The schema that the message was written with cannot be read as the declared columns."
        "Bring `schema` in line with what the producer writes.";
    BAD_VALUE "SW3114"
        "A value inside the payload is impossible in its format."
        "The producer is broken, or writes another schema than the one declared.";
    UNKNOWN_FORMAT "SW3121"
        "The format is unknown."
        "Use one of the formats that the message lists.";
    BAD_OPTIONS "SW3122"
        "An option of the format is unknown or has an impossible value."
        "`swiftwater describe` shows the options of the format.";
    NO_SCHEMA "SW3123"
        "The format cannot know its columns by itself."
        "Declare them with `schema`.";
    UNSUPPORTED_TYPE "SW3124"
        "The format has no form for the type of a column."
        "Convert the column before, for example in a `select`, or use another format.";
    BAD_SCHEMA_FILE "SW3125"
        "A schema given in the options or in a file cannot be used."
        "Correct the schema at the place that the message names.";
    REGISTRY_AWAY "SW3131"
        "The schema registry does not answer."
        "It is tried again; look whether it runs and can be reached.";
    REGISTRY_REFUSED "SW3132"
        "The schema registry refuses the request."
        "Check `url`, `username` and `password`, and the subject's compatibility rule.";
    UNENCODABLE "SW3141"
        "A value has no form in the format."
        "Convert or filter such values before, or use another format.";
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = CODES.iter().map(|(code, ..)| *code).collect();
        assert!(codes.is_sorted());
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
        for (code, summary, cure) in CODES {
            assert!(code.starts_with("SW31") && code.len() == 6);
            assert!(summary.ends_with('.') && cure.ends_with('.'));
        }
    }
}
