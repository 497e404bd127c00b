#if canImport(Glibc)
    import Glibc
#endif

/// A text whose bytes can be had without making a string: a constant, an attribute of a compact record, or an
/// attribute with a constant in its place (`ad.?title.orValue("")`). Comparisons of two such take some tens of
/// nanoseconds and allocate nothing.
enum TextOperand: Sendable {
    case constant(ConstantText)
    case attribute(AttributePath)
    case attributeOr(AttributePath, ConstantText)

    init?(_ term: Term) {
        switch term {
        case .constant(.string(let text)): self = .constant(ConstantText(text))
        case .attribute(let path) where !path.isList && !path.isOptional: self = .attribute(path)
        case .call(let function, let arguments) where function.name == "orValue" && arguments.count == 2:
            guard case .attribute(let path) = arguments[0], !path.isList, path.isOptional,
                case .constant(.string(let text)) = arguments[1]
            else { return nil }
            self = .attributeOr(path, ConstantText(text))
        default: return nil
        }
    }

    var isConstant: Bool {
        if case .constant = self { return true }
        return false
    }

    @inline(__always)
    func bytes(in frame: inout Frame) throws(ExpressionFailure) -> UnsafeRawBufferPointer {
        switch self {
        case .constant(let text): return text.bytes
        case .attribute(let path):
            guard let found = try path.text(in: &frame) else { throw path.missing(in: &frame) }
            return found
        case .attributeOr(let path, let other): return try path.text(in: &frame) ?? other.bytes
        }
    }

    @inline(__always)
    static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        guard let first = left.baseAddress, let second = right.baseAddress else { return true }
        return memcmp(first, second, left.count) == 0
    }
}

/// A text that stands still in memory as long as an expression lives.
final class ConstantText: @unchecked Sendable {
    // Written by `init` only.
    let bytes: UnsafeRawBufferPointer

    init(_ text: String) {
        let utf8 = Array(text.utf8)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(utf8.count, 1), alignment: 1)
        memory.copyBytes(from: utf8)
        bytes = UnsafeRawBufferPointer(rebasing: memory[..<utf8.count])
    }

    deinit { UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.deallocate() }
}

extension Compiler {
    /// `==`, `!=`, `in [constants]`, `startsWith`, `endsWith` on texts that are attributes; nil for all else.
    func textTest(_ name: String, _ arguments: [Term]) -> Code? {
        guard arguments.count == 2, let left = TextOperand(arguments[0]) else { return nil }
        if name == "@in" { return membership(left, arguments[1]) }
        guard let right = TextOperand(arguments[1]), !(left.isConstant && right.isConstant) else { return nil }
        switch name {
        case "_==_", "_!=_":
            let wanted = name == "_==_"
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                let first = try left.bytes(in: &frame)
                return .bool(TextOperand.areEqual(first, try right.bytes(in: &frame)) == wanted)
            }
        case "startsWith", "endsWith":
            let isPrefix = name == "startsWith"
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                let text = try left.bytes(in: &frame)
                let part = try right.bytes(in: &frame)
                guard text.count >= part.count else { return .bool(false) }
                let range = isPrefix ? 0..<part.count : (text.count - part.count)..<text.count
                return .bool(TextOperand.areEqual(UnsafeRawBufferPointer(rebasing: text[range]), part))
            }
        default: return nil
        }
    }

    private func membership(_ left: TextOperand, _ list: Term) -> Code? {
        guard !left.isConstant, case .list(let elements, let optional) = list, !optional.contains(true) else {
            return nil
        }
        var texts: [ConstantText] = []
        for element in elements {
            guard case .constant(.string(let text)) = element else { return nil }
            texts.append(ConstantText(text))
        }
        let among = texts
        return { (frame) throws(ExpressionFailure) in
            try frame.spend(1 + among.count >> 2)
            let text = try left.bytes(in: &frame)
            for one in among where TextOperand.areEqual(text, one.bytes) { return .bool(true) }
            return .bool(false)
        }
    }
}
