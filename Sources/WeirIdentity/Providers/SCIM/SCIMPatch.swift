import WeirExpressions

/// The operations of a PATCH (RFC 7644, 3.5.2) that make a resource what a change wants.
enum SCIMPatch {
    enum Refusal: Error, Equatable {
        case unknown(String)
        case misshapen(String)

        var answer: WriteAnswer {
            switch self {
            case .unknown(let name):
                .refused(code: "no_such_attribute", text: "SCIM has no place for '\(name)'")
            case .misshapen(let name): .refused(code: "not_supported", text: "'\(name)' takes one value of its kind")
            }
        }
    }

    static func body(
        _ change: Change, secrets: [String: String], before: [String: [String]]
    ) throws(Refusal) -> String {
        var operations: [Value] = []
        func add(_ verb: String, _ path: String, _ value: Value?) {
            var map = ValueMap()
            map[.string("op")] = .string(verb)
            map[.string("path")] = .string(path)
            if let value { map[.string("value")] = value }
            operations.append(.map(map))
        }
        if let name = change.newName {
            guard let attribute = SCIMAttribute.named(change.target.type == "group" ? "displayname" : "username") else {
                throw .unknown("name")
            }
            add("replace", attribute.patchPath, .string(name))
        }
        for edit in change.edits {
            guard let attribute = SCIMAttribute.named(edit.attribute) else { throw .unknown(edit.attribute) }
            let wanted = secrets[edit.attribute].map { [$0] } ?? edit.adds
            switch attribute.shape {
            case .values, .typed:
                // Values one by one, so that those that nobody spoke of stay.
                let there = Set(before[edit.attribute] ?? [])
                let removes = edit.isReplaced ? there.subtracting(wanted).sorted() : edit.removes.filter(there.contains)
                let adds = wanted.filter { !there.contains($0) }
                for value in removes {
                    add("remove", attribute.patchPath + "[value eq " + quoted(value) + "]", nil)
                }
                if !adds.isEmpty { add("add", attribute.patchPath, SCIMResource.value(attribute, adds)) }
            case .text, .bool, .reference:
                if wanted.isEmpty {
                    add("remove", attribute.patchPath, nil)
                } else {
                    guard let value = SCIMResource.value(attribute, wanted) else { throw .misshapen(edit.attribute) }
                    add("replace", attribute.patchPath, value)
                }
            }
        }
        var body = ValueMap()
        body[.string("schemas")] = .list([.string("urn:ietf:params:scim:api:messages:2.0:PatchOp")])
        body[.string("Operations")] = .list(operations)
        return Value.map(body).jsonText
    }

    /// A text in a filter, with what would end it escaped as JSON does (RFC 7644, 3.4.2.2).
    static func quoted(_ text: String) -> String { Value.string(text).jsonText }
}
