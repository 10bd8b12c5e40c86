//! From words to an expression. Macros are expanded here, functions are looked up here.

use crate::cel::functions::{Function, is_space};
use crate::cel::token::{Token, tokens};
use crate::cel::tree::{Access, Expr, Fold, FoldForm, MatchForm, MatchPattern, Operator};
use crate::cel::value::Val;
use crate::pattern::Pattern;

/// Characters of a rule.
const MAX_LENGTH: usize = 20_000;
/// Brackets within brackets.
const MAX_NESTING: usize = 32;
/// Expressions within expressions; `a + b + c` is two.
const MAX_DEPTH: usize = 96;

/// Reads an expression.
///
/// # Errors
/// When it is none, or uses what is not known here; the text says what.
pub(crate) fn parse(text: &str) -> Result<Expr, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("it has more than {MAX_LENGTH} characters"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, nesting: 0 };
    let (expr, _) = parser.expression()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some(token) => Err(format!("{} is not expected", spell(token))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
}

/// An expression and its depth.
type Deep = Result<(Expr, usize), String>;

fn deeper(depth: usize) -> Result<usize, String> {
    if depth >= MAX_DEPTH { Err(format!("it is more than {MAX_DEPTH} deep")) } else { Ok(depth + 1) }
}

fn spell(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("`{name}`"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::Int(number) | Token::UInt(number) => number.to_string(),
        Token::Double(number) => number.to_string(),
        Token::Text(text) => format!("{text:?}"),
        Token::Bytes(_) => "a literal of bytes".to_owned(),
    }
}

impl Parser {
    fn take(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Sign(there)) if *there == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        let there = self.tokens.get(self.at).map_or_else(|| "its end".to_owned(), spell);
        Err(format!("`{sign}` is expected instead of {there}"))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            _ => Err("a name is expected".to_owned()),
        }
    }

    fn expression(&mut self) -> Deep {
        if self.nesting >= MAX_NESTING {
            return Err(format!("it is nested more than {MAX_NESTING} times"));
        }
        self.nesting += 1;
        let expr = self.conditional();
        self.nesting -= 1;
        expr
    }

    fn conditional(&mut self) -> Deep {
        let (condition, a) = self.or()?;
        if !self.take("?") {
            return Ok((condition, a));
        }
        let (then, b) = self.or()?;
        self.expect(":")?;
        let (otherwise, c) = self.expression()?;
        let depth = deeper(a.max(b).max(c))?;
        Ok((Expr::If(Box::new(condition), Box::new(then), Box::new(otherwise)), depth))
    }

    fn or(&mut self) -> Deep {
        let (mut left, mut depth) = self.and()?;
        while self.take("||") {
            let (right, other) = self.and()?;
            (left, depth) = (Expr::Or(Box::new(left), Box::new(right)), deeper(depth.max(other))?);
        }
        Ok((left, depth))
    }

    fn and(&mut self) -> Deep {
        let (mut left, mut depth) = self.relation()?;
        while self.take("&&") {
            let (right, other) = self.relation()?;
            (left, depth) = (Expr::And(Box::new(left), Box::new(right)), deeper(depth.max(other))?);
        }
        Ok((left, depth))
    }

    fn relation(&mut self) -> Deep {
        let (mut left, mut depth) = self.binary(&[("+", Operator::Add), ("-", Operator::Subtract)])?;
        loop {
            let operator = match self.tokens.get(self.at) {
                Some(Token::Sign("==")) => Operator::Equal,
                Some(Token::Sign("!=")) => Operator::NotEqual,
                Some(Token::Sign("<")) => Operator::Less,
                Some(Token::Sign("<=")) => Operator::LessOrEqual,
                Some(Token::Sign(">")) => Operator::Greater,
                Some(Token::Sign(">=")) => Operator::GreaterOrEqual,
                Some(Token::Name(name)) if name == "in" => Operator::In,
                _ => return Ok((left, depth)),
            };
            self.at += 1;
            let (right, other) = self.binary(&[("+", Operator::Add), ("-", Operator::Subtract)])?;
            (left, depth) = (Expr::Binary(operator, Box::new(left), Box::new(right)), deeper(depth.max(other))?);
        }
    }

    /// Sums, or products below them.
    fn binary(&mut self, signs: &[(&str, Operator)]) -> Deep {
        const PRODUCTS: [(&str, Operator); 3] = [("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)];
        let is_sum = signs.len() == 2;
        let operand = |parser: &mut Self| if is_sum { parser.binary(&PRODUCTS) } else { parser.unary() };
        let (mut left, mut depth) = operand(self)?;
        'next: loop {
            for (sign, operator) in signs {
                if self.take(sign) {
                    let (right, other) = operand(self)?;
                    (left, depth) = (Expr::Binary(*operator, Box::new(left), Box::new(right)), deeper(depth.max(other))?);
                    continue 'next;
                }
            }
            return Ok((left, depth));
        }
    }

    fn unary(&mut self) -> Deep {
        let mut nots = 0_usize;
        while self.take("!") {
            nots += 1;
        }
        if nots > 0 {
            let (operand, depth) = self.member()?;
            // an even number of them still asks for a boolean
            let expr = Expr::Not(Box::new(operand));
            let expr = if nots.is_multiple_of(2) { Expr::Not(Box::new(expr)) } else { expr };
            return Ok((expr, deeper(deeper(depth)?)?));
        }
        let mut is_negative = false;
        while self.take("-") {
            match self.tokens.get(self.at) {
                Some(Token::Int(number)) if *number <= 1 << 63 && !is_negative => {
                    let literal = Val::Int(0_i64.wrapping_sub_unsigned(*number));
                    self.at += 1;
                    return self.members(Expr::Literal(literal), 1);
                }
                _ => is_negative = !is_negative,
            }
        }
        let (operand, depth) = self.member()?;
        if is_negative { Ok((Expr::Negate(Box::new(operand)), deeper(depth)?)) } else { Ok((operand, depth)) }
    }

    fn member(&mut self) -> Deep {
        let (primary, depth) = self.primary()?;
        self.members(primary, depth)
    }

    fn members(&mut self, mut expr: Expr, mut depth: usize) -> Deep {
        loop {
            if self.take(".") {
                let is_optional = self.take("?");
                let name = self.name()?;
                if !is_optional && self.take("(") {
                    let (arguments, other) = self.arguments(")")?;
                    (expr, depth) = (method(expr, &name, arguments)?, deeper(depth.max(other))?);
                } else {
                    let form = if is_optional { Access::Optional } else { Access::Plain };
                    (expr, depth) = (Expr::Select { of: Box::new(expr), field: name, form }, deeper(depth)?);
                }
            } else if self.take("[") {
                let is_optional = self.take("?");
                let (at, other) = self.expression()?;
                self.expect("]")?;
                let at = Box::new(at);
                (expr, depth) = (Expr::Index { of: Box::new(expr), at, is_optional }, deeper(depth.max(other))?);
            } else {
                return Ok((expr, depth));
            }
        }
    }

    /// Expressions with commas between them, and the greatest depth.
    fn arguments(&mut self, end: &str) -> Result<(Vec<Expr>, usize), String> {
        let (mut all, mut depth) = (Vec::new(), 1);
        while !self.take(end) {
            if !all.is_empty() {
                self.expect(",")?;
            }
            let (expr, other) = self.expression()?;
            all.push(expr);
            depth = depth.max(other);
        }
        Ok((all, depth))
    }

    fn primary(&mut self) -> Deep {
        let token = self.tokens.get(self.at).cloned().ok_or("it ends too early")?;
        self.at += 1;
        let literal = |value: Val<'static>| Ok((Expr::Literal(value), 1));
        match token {
            Token::Int(number) => literal(Val::Int(i64::try_from(number).map_err(|_| format!("{number} is not of 64 bits"))?)),
            Token::UInt(number) => literal(Val::UInt(number)),
            Token::Double(number) => literal(Val::Double(number)),
            Token::Text(text) => literal(Val::Text(text.into())),
            Token::Bytes(bytes) => literal(Val::Bytes(bytes.into())),
            Token::Name(name) if name == "true" => literal(Val::Bool(true)),
            Token::Name(name) if name == "false" => literal(Val::Bool(false)),
            Token::Name(name) if name == "null" => literal(Val::Null),
            Token::Name(name) => {
                if !self.take("(") {
                    return Ok((Expr::Name(name), 1));
                }
                let (arguments, depth) = self.arguments(")")?;
                Ok((function(&name, arguments)?, deeper(depth)?))
            }
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => self.list(),
            Token::Sign("{") => self.map(),
            Token::Sign(".") => {
                let name = self.name()?;
                Ok((Expr::Name(name), 1))
            }
            token => Err(format!("{} is not expected", spell(&token))),
        }
    }

    fn list(&mut self) -> Deep {
        let (mut items, mut depth) = (Vec::new(), 1);
        while !self.take("]") {
            if !items.is_empty() {
                self.expect(",")?;
                if self.take("]") {
                    break;
                }
            }
            let is_optional = self.take("?");
            let (item, other) = self.expression()?;
            items.push((item, is_optional));
            depth = depth.max(other);
        }
        Ok((Expr::List(items), deeper(depth)?))
    }

    fn map(&mut self) -> Deep {
        let (mut entries, mut depth) = (Vec::new(), 1);
        while !self.take("}") {
            if !entries.is_empty() {
                self.expect(",")?;
                if self.take("}") {
                    break;
                }
            }
            let is_optional = self.take("?");
            let (key, a) = self.expression()?;
            self.expect(":")?;
            let (value, b) = self.expression()?;
            entries.push((key, value, is_optional));
            depth = depth.max(a).max(b);
        }
        Ok((Expr::Map(entries), deeper(depth)?))
    }
}

/// A function by its name alone, or the macro `has`.
fn function(name: &str, mut arguments: Vec<Expr>) -> Result<Expr, String> {
    if name == "has" {
        return match arguments.pop() {
            Some(Expr::Select { of, field, form: Access::Plain }) if arguments.is_empty() => {
                Ok(Expr::Select { of, field, form: Access::Test })
            }
            _ => Err("`has` asks for one field".to_owned()),
        };
    }
    if name == "matches" && arguments.len() == 2 {
        let pattern = arguments.remove(1);
        return matcher(MatchForm::Matches, arguments.remove(0), pattern, None);
    }
    call(name, false, arguments)
}

fn call(name: &str, is_method: bool, arguments: Vec<Expr>) -> Result<Expr, String> {
    let count = arguments.len() - usize::from(is_method);
    match Function::find(name, is_method, count) {
        Some(function) => Ok(Expr::Call { function, arguments }),
        None => Err(format!("the function `{name}` with {count} arguments is not known here")),
    }
}

/// A method or a macro. Functions of a name space (`optional.of`) look like methods.
fn method(target: Expr, name: &str, mut arguments: Vec<Expr>) -> Result<Expr, String> {
    if let Expr::Name(space) = &target
        && is_space(space)
    {
        if (space.as_str(), name) == ("cel", "bind") {
            let [variable, value, body] = <[Expr; 3]>::try_from(arguments).map_err(|_| "`cel.bind` takes three arguments")?;
            return Ok(Expr::Bind { name: variable_of(variable)?, value: Box::new(value), body: Box::new(body) });
        }
        return call(&format!("{space}.{name}"), false, arguments);
    }
    let form = match (name, arguments.len()) {
        ("all", 2 | 3) => Some(FoldForm::All),
        ("exists", 2 | 3) => Some(FoldForm::Exists),
        ("exists_one" | "existsOne", 2 | 3) => Some(FoldForm::ExistsOne),
        ("filter", 2) => Some(FoldForm::Filter),
        ("map", 2 | 3) => Some(FoldForm::Map),
        ("transformList", 3 | 4) => Some(FoldForm::TransformList),
        ("transformMap", 3 | 4) => Some(FoldForm::TransformMap),
        _ => None,
    };
    if let Some(form) = form {
        return fold(form, target, arguments);
    }
    match (name, arguments.len()) {
        ("optMap" | "optFlatMap", 2) => {
            let body = Box::new(arguments.remove(1));
            let variable = variable_of(arguments.remove(0))?;
            Ok(Expr::OptMap { value: Box::new(target), name: variable, body, is_flat: name == "optFlatMap" })
        }
        ("matches", 1) => matcher(MatchForm::Matches, target, arguments.remove(0), None),
        ("find", 1) => matcher(MatchForm::Find, target, arguments.remove(0), None),
        ("findAll", 1) => matcher(MatchForm::FindAll, target, arguments.remove(0), None),
        ("findAll", 2) => {
            let limit = arguments.remove(1);
            matcher(MatchForm::FindAll, target, arguments.remove(0), Some(limit))
        }
        _ => {
            arguments.insert(0, target);
            call(name, true, arguments)
        }
    }
}

fn fold(form: FoldForm, over: Expr, mut arguments: Vec<Expr>) -> Result<Expr, String> {
    let has_key = match form {
        FoldForm::Map | FoldForm::Filter => false,
        FoldForm::TransformList | FoldForm::TransformMap => true,
        FoldForm::All | FoldForm::Exists | FoldForm::ExistsOne => arguments.len() == 3,
    };
    let missing = || "a macro lacks an argument".to_owned();
    let body = arguments.pop().ok_or_else(missing)?;
    let filter = if arguments.len() > 1 + usize::from(has_key) { arguments.pop() } else { None };
    let name = variable_of(arguments.pop().ok_or_else(missing)?)?;
    let key = arguments.pop().map(variable_of).transpose()?;
    Ok(Expr::Fold(Box::new(Fold { form, over, key, name, filter, body })))
}

fn variable_of(expr: Expr) -> Result<String, String> {
    match expr {
        Expr::Name(name) => Ok(name),
        _ => Err("a macro lacks the name of its variable".to_owned()),
    }
}

fn matcher(form: MatchForm, text: Expr, pattern: Expr, limit: Option<Expr>) -> Result<Expr, String> {
    let pattern = match pattern {
        Expr::Literal(Val::Text(pattern)) => MatchPattern::Literal(Pattern::compile(&pattern)?),
        computed => MatchPattern::Computed(Box::new(computed)),
    };
    Ok(Expr::Match { form, text: Box::new(text), pattern, limit: limit.map(Box::new) })
}
