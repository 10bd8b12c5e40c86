//! Words of an expression.

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Name(String),
    /// without its sign
    Int(u64),
    UInt(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "<", ">", "!", "+", "-", "*", "/", "%",
    "`",
];

/// Cuts an expression into words.
///
/// # Errors
/// When something is none; the text says what.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, after) = if let Some(literal) = literal(rest) {
            literal?
        } else if first.is_ascii_digit() || first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            number(rest)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(rest[..end].to_owned()), &rest[end..])
        } else if let Some(quoted) = rest.strip_prefix('`') {
            let (name, after) = quoted.split_once('`').ok_or("a name in backticks has no end")?;
            (Token::Name(name.to_owned()), after)
        } else {
            let sign =
                SIGNS.iter().find(|sign| rest.starts_with(**sign)).ok_or_else(|| format!("`{first}` is no part of CEL"))?;
            (Token::Sign(sign), &rest[sign.len()..])
        };
        tokens.push(token);
        rest = after;
    }
}

fn number(text: &str) -> Result<(Token, &str), String> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let value = u64::from_str_radix(&hex[..end], 16).map_err(|_| "a hexadecimal number is not of 64 bits".to_owned())?;
        return Ok(whole(value, &hex[end..]));
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(text);
    let mut is_double = false;
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        is_double = true;
        end += 1 + digits(&text[end + 1..]);
    }
    if text[end..].starts_with(['e', 'E']) {
        let signed = &text[end + 1..];
        let sign = usize::from(signed.starts_with(['+', '-']));
        let length = digits(&signed[sign..]);
        if length > 0 {
            is_double = true;
            end += 1 + sign + length;
        }
    }
    if is_double {
        let value = text[..end].parse().map_err(|_| format!("{} is no number", &text[..end]))?;
        return Ok((Token::Double(value), &text[end..]));
    }
    let value = text[..end].parse().map_err(|_| format!("{} is not of 64 bits", &text[..end]))?;
    Ok(whole(value, &text[end..]))
}

fn whole(value: u64, after: &str) -> (Token, &str) {
    match after.strip_prefix(['u', 'U']) {
        Some(after) => (Token::UInt(value), after),
        None => (Token::Int(value), after),
    }
}

/// A literal in quotes, if one begins here.
fn literal(text: &str) -> Option<Result<(Token, &str), String>> {
    let prefix = text.find(|c: char| !"rRbB".contains(c)).unwrap_or(text.len());
    let (marks, body) = text.split_at(prefix);
    let is = |mark: char| marks.contains([mark, mark.to_ascii_uppercase()]);
    if marks.len() > 2 || marks.len() == 2 && !(is('r') && is('b')) {
        return None;
    }
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| body.starts_with(quote))?;
    Some(quoted(&body[quote.len()..], quote, is('r'), is('b')))
}

fn quoted<'t>(text: &'t str, quote: &str, is_raw: bool, is_bytes: bool) -> Result<(Token, &'t str), String> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            let token = if is_bytes {
                Token::Bytes(bytes)
            } else {
                Token::Text(String::from_utf8(bytes).map_err(|_| "a text is not of Unicode".to_owned())?)
            };
            return Ok((token, after));
        }
        let c = rest.chars().next().ok_or("a text in quotes has no end")?;
        rest = &rest[c.len_utf8()..];
        if c == '\n' && quote.len() == 1 {
            return Err("a text in quotes has no end on its line".to_owned());
        }
        if c == '\\' && is_raw {
            bytes.push(b'\\');
            if let Some(next) = rest.chars().next() {
                push(&mut bytes, next);
                rest = &rest[next.len_utf8()..];
            }
        } else if c == '\\' {
            rest = escape(rest, is_bytes, &mut bytes)?;
        } else {
            push(&mut bytes, c);
        }
    }
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Reads what follows a backslash and returns what follows that.
fn escape<'t>(text: &'t str, is_bytes: bool, bytes: &mut Vec<u8>) -> Result<&'t str, String> {
    let c = text.chars().next().ok_or("a text ends with a backslash")?;
    let rest = &text[c.len_utf8()..];
    let simple = match c {
        'a' => Some('\x07'),
        'b' => Some('\x08'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        '\\' | '?' | '"' | '\'' | '`' => Some(c),
        _ => None,
    };
    if let Some(simple) = simple {
        push(bytes, simple);
        return Ok(rest);
    }
    let (digits, radix, rest) = match c {
        'x' | 'X' => (2, 16, rest),
        'u' => (4, 16, rest),
        'U' => (8, 16, rest),
        '0'..='3' => (3, 8, text),
        _ => return Err(format!("`\\{c}` is no escape of CEL")),
    };
    let code = rest.get(..digits).and_then(|digits| u32::from_str_radix(digits, radix).ok());
    let code = code.ok_or_else(|| format!("`\\{c}` lacks its {digits} digits"))?;
    match u8::try_from(code) {
        Ok(byte) if is_bytes && digits < 4 => bytes.push(byte),
        _ => push(bytes, char::from_u32(code).ok_or("an escape is no character")?),
    }
    Ok(&rest[digits..])
}
