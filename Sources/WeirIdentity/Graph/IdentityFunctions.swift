import Crypto
import Foundation
import WeirDirectory
import WeirExpressions

/// Functions that only expressions about identities have: names of directories, Active Directory's numbers, hashes, and
/// questions about the identity that is looked at.
enum IdentityFunctions {
    static let all: [Function] = names + accounts + hashes + questions

    private static let questions: [Function] = [
        Function(answered: "joined", ["(string) bool"]),
        Function(answered: "objects", ["(string, string) list(map(string, dyn))"]),
    ]

    // MARK: Directory names

    private static let names: [Function] = [
        text("dn.escape") { NameText.escaped($0) },
        text("filter.escape") { DirectoryFilter.escaped(Array($0.utf8)) },
        text("dn.rdn") { (text) throws(ExpressionFailure) in try name(text).leaf?.text ?? "" },
        text("dn.parent") { (text) throws(ExpressionFailure) in try name(text).parent?.description ?? "" },
        Function("dn.value", ["(string) string"]) { (values) throws(ExpressionFailure) in
            guard case .string(let text)? = values.first else { throw Function.mismatch("dn.value", all: values) }
            return .string(try name(text).leaf?.parts.first?.value ?? "")
        },
        two("dn.under") { (text, base) throws(ExpressionFailure) in
            .bool(try name(text).isWithin(try name(base)))
        },
        two("dn.equal") { (one, other) throws(ExpressionFailure) in .bool(try name(one) == name(other)) },
        Function("dn.parse", ["(string) list(map(string, string))"]) { (values) throws(ExpressionFailure) in
            guard case .string(let text)? = values.first else { throw Function.mismatch("dn.parse", all: values) }
            return .list(
                try name(text).relatives.map { relative in
                    var map = ValueMap()
                    for part in relative.parts { map[.string(part.type.lowercased())] = .string(part.value) }
                    return .map(map)
                })
        },
    ]

    private static func name(_ text: String) throws(ExpressionFailure) -> DistinguishedName {
        do throws(NameProblem) {
            return try DistinguishedName(text)
        } catch {
            throw ExpressionFailure(.invalidArgument, "'\(text)' is no name of a directory")
        }
    }

    private static func text(
        _ name: String, _ body: @escaping @Sendable (String) throws(ExpressionFailure) -> String
    ) -> Function {
        Function(name, ["(string) string"]) { (values) throws(ExpressionFailure) in
            guard case .string(let text)? = values.first else { throw Function.mismatch(name, all: values) }
            return .string(try body(text))
        }
    }

    private static func two(
        _ name: String, _ body: @escaping @Sendable (String, String) throws(ExpressionFailure) -> Value
    ) -> Function {
        Function(name, ["(string, string) bool"]) { (values) throws(ExpressionFailure) in
            guard case .string(let one) = values[0], case .string(let other) = values[1] else {
                throw Function.mismatch(name, all: values)
            }
            return try body(one, other)
        }
    }

    // MARK: Active Directory

    /// Bits of userAccountControl (MS-ADTS 2.2.16).
    private static let bits: [String: Int64] = [
        "SCRIPT": 0x1, "ACCOUNTDISABLE": 0x2, "HOMEDIR_REQUIRED": 0x8, "LOCKOUT": 0x10, "PASSWD_NOTREQD": 0x20,
        "PASSWD_CANT_CHANGE": 0x40, "ENCRYPTED_TEXT_PWD_ALLOWED": 0x80, "NORMAL_ACCOUNT": 0x200,
        "INTERDOMAIN_TRUST_ACCOUNT": 0x800, "WORKSTATION_TRUST_ACCOUNT": 0x1000, "SERVER_TRUST_ACCOUNT": 0x2000,
        "DONT_EXPIRE_PASSWORD": 0x1_0000, "MNS_LOGON_ACCOUNT": 0x2_0000, "SMARTCARD_REQUIRED": 0x4_0000,
        "TRUSTED_FOR_DELEGATION": 0x8_0000, "NOT_DELEGATED": 0x10_0000, "USE_DES_KEY_ONLY": 0x20_0000,
        "DONT_REQ_PREAUTH": 0x40_0000, "PASSWORD_EXPIRED": 0x80_0000,
        "TRUSTED_TO_AUTH_FOR_DELEGATION": 0x100_0000,
    ]

    private static func control(_ values: [Value], _ name: String) throws(ExpressionFailure) -> (Int64, Int64) {
        var number: Int64?
        switch values[0] {
        case .int(let value): number = value
        case .string(let text): number = Int64(text)
        default: throw Function.mismatch(name, all: values)
        }
        guard case .string(let bit) = values[1] else { throw Function.mismatch(name, all: values) }
        guard let mask = bits[bit.uppercased()] else {
            throw ExpressionFailure(.invalidArgument, "userAccountControl has no bit '\(bit)'")
        }
        guard let number else { throw ExpressionFailure(.invalidArgument, "\(name) of what is no number") }
        return (number, mask)
    }

    private static let accounts: [Function] = [
        Function("uac.has", ["(int, string) bool", "(string, string) bool"]) { (values) throws(ExpressionFailure) in
            let (number, mask) = try control(values, "uac.has")
            return .bool(number & mask != 0)
        },
        Function("uac.set", ["(int, string) int", "(string, string) int"]) { (values) throws(ExpressionFailure) in
            let (number, mask) = try control(values, "uac.set")
            return .int(number | mask)
        },
        Function("uac.clear", ["(int, string) int", "(string, string) int"]) { (values) throws(ExpressionFailure) in
            let (number, mask) = try control(values, "uac.clear")
            return .int(number & ~mask)
        },
        Function("sid.string", ["(bytes) string"]) { (values) throws(ExpressionFailure) in
            guard case .bytes(let bytes)? = values.first else { throw Function.mismatch("sid.string", all: values) }
            guard let text = sid(bytes) else { throw ExpressionFailure(.invalidArgument, "these bytes are no SID") }
            return .string(text)
        },
        Function("guid.string", ["(bytes) string"]) { (values) throws(ExpressionFailure) in
            guard case .bytes(let bytes)? = values.first else { throw Function.mismatch("guid.string", all: values) }
            guard bytes.count == 16 else { throw ExpressionFailure(.invalidArgument, "these bytes are no GUID") }
            // Its first three parts are written the other way round (MS-DTYP 2.3.4).
            let order = [3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15]
            return .string(order.map { $0 < 0 ? "-" : hexadecimal([bytes[$0]]) }.joined())
        },
    ]

    /// MS-DTYP 2.4.2.
    private static func sid(_ bytes: [UInt8]) -> String? {
        guard bytes.count >= 8, bytes.count == 8 + Int(bytes[1]) * 4 else { return nil }
        var text = "S-\(bytes[0])-\(bytes[2..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })"
        for start in stride(from: 8, to: bytes.count, by: 4) {
            text += "-\((0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })"
        }
        return text
    }

    // MARK: Hashes

    private static let hashes: [Function] = [
        text("sha256") { hexadecimal(SHA256.hash(data: Data($0.utf8))) },
        Function("hmac", ["(string, string) string"]) { (values) throws(ExpressionFailure) in
            guard case .string(let key) = values[0], case .string(let text) = values[1] else {
                throw Function.mismatch("hmac", all: values)
            }
            let code = HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: Data(key.utf8)))
            return .string(hexadecimal(code))
        },
    ]

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// Answers functions that ask about the identity that is looked at.
struct GraphContext: EvaluationContext {
    let graph: IdentityGraph
    let identity: Int?

    func answer(_ function: String, _ arguments: [Value]) throws(ExpressionFailure) -> Value {
        switch (function, arguments.count) {
        case ("objects", 2):
            guard case .string(let silo) = arguments[0], case .string(let type) = arguments[1] else { break }
            return .list(try objects(ObjectKind(silo: silo, type: type)))
        default: break
        }
        // `joined` of a name that is no silo's; names of silos were answered when the expression was read.
        throw ExpressionFailure(.unknownName, "\(function): there is no such silo")
    }

    /// The identity's object of a kind, as a list of none or one map.
    private func objects(_ kind: ObjectKind) throws(ExpressionFailure) -> [Value] {
        guard graph.language.kinds.contains(kind) else {
            throw ExpressionFailure(.unknownName, "there is no kind \(kind)")
        }
        guard let identity, let object = graph.object(of: identity, kind) else { return [] }
        var map = ValueMap()
        map[.string("_anchor")] = .string(object.anchor)
        map[.string("_name")] = .string(object.name)
        for (name, values) in object.attributes.sorted(by: { $0.key < $1.key }) {
            map[.string(name)] =
                graph.isMulti(name, kind) || values.count != 1 ? .list(values.map { .string($0) }) : .string(values[0])
        }
        return [.map(map)]
    }
}
