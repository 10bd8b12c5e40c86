//! Expressions and their values.

use proptest::prelude::*;

use super::value::{Fail, Val};
use super::{evaluate, parse};

const STEPS: u64 = 100_000;

/// The value of an expression as text: `true`, `error …`, `unknown …`, `refused …`.
fn value(text: &str) -> String {
    let expr = match parse(text) {
        Ok(expr) => expr,
        Err(why) => return format!("refused {why}"),
    };
    match evaluate(&expr, vec![("x", Val::Int(7))], &mut { STEPS }) {
        Ok(Val::Bool(value)) => value.to_string(),
        Ok(other) => format!("{other:?}"),
        Err(Fail::Error(error)) => format!("error {error}"),
        Err(Fail::Unsupported(what)) => format!("unknown {what}"),
        Err(Fail::TooLong) => "too long".to_owned(),
    }
}

#[test]
fn expressions_have_the_values_of_cel() {
    let all_true = [
        "1 + 2 * 3 == 7 && -3 % 2 == -1 && 7 / 2 == 3",
        "!(1 > 2) && !!true && - - 1 == 1",
        "1 < 2u && 2.5 > 2 && 1 == 1.0",
        "-9223372036854775808 < 0 && 0xff == 255",
        "'a' + \"b\" == 'ab' && 'a' < 'b'",
        "r'\\d' == '\\\\d' && '''it's''' == \"it's\" && '\\u00e9' == 'é' && b'\\xff'.size() == 1",
        "r\"\"\"^a\"b$\"\"\" == '^a\"b$'",
        "size('é😀') == 2 && 'é😀x'.substring(1, 2) == '😀' && 'abc'.substring(1) == 'bc'",
        "[1, 2, 3].all(n, n > 0) && [1, 2].exists(n, n == 2) && [1, 1, 2].exists_one(n, n == 2)",
        "[1, 2, 3].filter(n, n > 1) == [2, 3] && [1, 2].map(n, n * 2) == [2, 4] && [1, 2].map(n, n > 1, n) == [2]",
        "{'a': 1}.all(k, k == 'a') && {'a': 1}['a'] == 1 && has({'a': 1}.a) && !has({'a': 1}.b) && 'a' in {'a': 1}",
        "[10, 20].all(i, n, n == (i + 1) * 10) && {'a': 1}.exists(k, v, k == 'a' && v == 1)",
        "[1, 2].transformList(i, n, i + n) == [1, 3] && {'a': 1}.transformMap(k, v, v + 1) == {'a': 2}",
        "3 in [1, 2, 3] && !(4 in [1]) && [1] + [2] == [1, 2]",
        "true || [][0] == 1",
        "[][0] == 1 || true",
        "!([][0] == 1 && false)",
        "[0, 1].exists(n, 1 / n == 1)",
        "![0, 2].all(n, 1 / n == 1)",
        "true ? true : [][0]",
        "x == 7 ? true : false",
        "cel.bind(y, x + 1, y * y) == 64",
        "'a,b,,c'.split(',') == ['a', 'b', '', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'ab'.split('') == ['a', 'b']",
        "['a', 'b'].join('-') == 'a-b' && 'aXa'.replace('a', 'b') == 'bXb' && 'aa'.replace('a', 'b', 1) == 'ba'",
        "'abcb'.indexOf('b') == 1 && 'abcb'.lastIndexOf('b') == 3 && 'abc'.indexOf('z') == -1 && 'aé'.charAt(1) == 'é'",
        "' a '.trim() == 'a' && 'Aé'.lowerAscii() == 'aé' && 'ab'.reverse() == 'ba'",
        "'abc123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2'] && 'a'.matches('^a$') && matches('ab', 'b')",
        "duration('1h') > duration('59m') && duration('90s') == duration('1m30s') && duration('1.5s').getMilliseconds() == 500",
        "timestamp('2024-01-01T00:00:00Z') + duration('24h') == timestamp('2024-01-02T00:00:00Z')",
        "url('https://a:1/b').getScheme() == 'https' && url('https://a:1').getPort() == '1' && isURL('/x') && !isURL('x')",
        "ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.1.1') && !isIP('::ffff:1.2.3.4')",
        "!cidr('10.0.0.0/8').containsCIDR('11.0.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && !isCIDR('1.2.3.4')",
        "quantity('1Gi').isGreaterThan(quantity('1G')) && isQuantity('500m') && quantity('1k').compareTo(quantity('1e3')) == 0",
        "int('7') == 7 && string(7) == '7' && double('1.5') == 1.5 && int(1.9) == 1 && uint(1) == 1u && bool('true')",
        "type(1) == int && type('a') == string && type([]) == list",
        "optional.of(1).hasValue() && optional.none().orValue(2) == 2 && {'a': 1}[?'b'].orValue(3) == 3",
        "{'a': {'b': 1}}.?a.?b.orValue(0) == 1 && [1, ?optional.none()] == [1] && optional.of(1).optMap(v, v + 1).value() == 2",
        "[1, 2, 2].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1 && [3, 1].max() == 3",
        "sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])",
        "null == null && null != 1 && {} == {} && {'a': [1]} == {'a': [1]} && 1 != 'a'",
    ];
    for text in all_true {
        assert_eq!(value(text), "true", "{text}");
    }
}

#[test]
fn errors_are_those_after_which_an_api_server_refuses() {
    for text in [
        "[1][1] == 1",
        "{'a': 1}.b == 1",
        "1 / 0 == 1",
        "9223372036854775807 + 1 > 0",
        "int('x') == 1",
        "duration('x') == duration('0')",
        "'a'.substring(2) == ''",
        "url('x').getHost() == ''",
    ] {
        assert!(value(text).starts_with("error"), "{text}: {}", value(text));
    }
}

#[test]
fn what_is_not_known_is_refused_when_it_is_read() {
    for text in [
        "false && nonsense(1)",
        "x.nonsense()",
        "math.greatest(1, 2) == 2",
        "'%d'.format([1]) == '1'",
        "semver('1.0.0').major() == 1",
        "has(x)",
        "x.matches('(')",
    ] {
        assert!(value(text).starts_with("refused"), "{text}: {}", value(text));
    }
    assert!(value("1 + 'a' == 'a'").starts_with("unknown"));
    assert!(value("false || 1 + 'a' == 'a'").starts_with("unknown"));
}

#[test]
fn nothing_takes_long_or_deep() {
    let mut nested = "true".to_owned();
    for level in 0..9 {
        nested = format!("[0,1,2,3,4,5,6,7,8,9].all(v{level}, {nested})");
    }
    assert_eq!(value(&nested), "too long");
    for text in [
        "(".repeat(20_000),
        format!("{}true", "!".repeat(20_000)),
        format!("{}1", "-".repeat(20_000)),
        "[".repeat(20_000),
        format!("a{}", ".a".repeat(9_000)),
        format!("1{}", "+1".repeat(9_000)),
        format!("{}1", "true?1:".repeat(2_000)),
        format!("{}1", "true?".repeat(2_000)),
        format!("true{}", "||true".repeat(2_000)),
        format!("a{}", "[0]".repeat(5_000)),
        "x.f(".repeat(3_000),
    ] {
        assert!(value(&text).starts_with("refused") || value(&text) == "true", "{}", &text[..20]);
    }
}

proptest! {
    #[test]
    fn any_text_has_a_value_or_is_refused(text in any::<String>()) {
        value(&text);
    }

    #[test]
    fn any_row_of_words_has_a_value_or_is_refused(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "x", "1", "'a'", "[", "]", "(", ")", "{", "}", ":", ",", ".", "?", "==", "&&", "||", "!", "-", "+", "in", "has", "all",
                "size", "r'", "\"\"\"", "0x", "1e9", "u", "null", "map", "split", "duration", "'1s'", "`", "é", "matches",
            ]),
            0..24,
        )
    ) {
        value(&words.concat());
        value(&words.join(" "));
    }
}
