/// Where an attribute of ours stands in a SCIM resource (RFC 7643), and what shape it has there. Ours are in lower
/// case, with `_` where SCIM has a dot: `name_familyname`, `enterprise_department`.
struct SCIMAttribute: Sendable, Equatable {
    enum Shape: Sendable, Equatable {
        case text, bool
        /// A list of objects with a `value`: `emails`, `members`.
        case values
        /// Those of the list with a `type`: `emails_work`.
        case typed(String)
        /// An object with a `value`: the manager.
        case reference
    }

    /// Below the resource: `name`, `familyName`; the first is the extension's name for its attributes.
    var path: [String]
    var shape: Shape

    static let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

    /// As a PATCH names it (RFC 7644, 3.5.2).
    var patchPath: String {
        if path[0] == Self.enterprise { return Self.enterprise + ":" + path.dropFirst().joined(separator: ".") }
        return path.joined(separator: ".")
    }

    private static let texts = [
        "userName", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale",
        "timezone", "password", "externalId",
    ]
    private static let names = [
        "formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix",
    ]
    private static let lists = [
        "emails", "phoneNumbers", "ims", "photos", "entitlements", "roles", "x509Certificates", "members", "groups",
    ]
    private static let company = ["employeeNumber", "costCenter", "organization", "division", "department"]

    private static let known: [String: SCIMAttribute] = {
        var known: [String: SCIMAttribute] = ["active": SCIMAttribute(path: ["active"], shape: .bool)]
        for name in texts { known[name.lowercased()] = SCIMAttribute(path: [name], shape: .text) }
        for name in names { known["name_" + name.lowercased()] = SCIMAttribute(path: ["name", name], shape: .text) }
        for name in lists { known[name.lowercased()] = SCIMAttribute(path: [name], shape: .values) }
        for name in company {
            known["enterprise_" + name.lowercased()] = SCIMAttribute(path: [enterprise, name], shape: .text)
        }
        known["enterprise_manager"] = SCIMAttribute(path: [enterprise, "manager"], shape: .reference)
        return known
    }()

    /// Attributes that are lists.
    static let listNames = Set(lists.map { $0.lowercased() })

    /// - Parameter name: in lower case.
    static func named(_ name: String) -> SCIMAttribute? {
        if let found = known[name] { return found }
        guard let cut = name.firstIndex(of: "_"), let list = known[String(name[..<cut])], list.shape == .values else {
            return nil
        }
        return SCIMAttribute(path: list.path, shape: .typed(String(name[name.index(after: cut)...])))
    }
}
