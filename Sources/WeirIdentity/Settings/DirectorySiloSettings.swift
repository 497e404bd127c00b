package import WeirSettings

/// An LDAP directory.
package struct LDAPSiloSettings: SiloKindSettings {
    package enum LastMember: String, SettingChoice {
        case fail, placeholder
        case deleteGroup = "delete_group"

        package var help: String {
            switch self {
            case .fail: "The removal is refused and shown."
            case .placeholder: "`placeholder` takes the place."
            case .deleteGroup: "The group is deleted."
            }
        }
    }

    package enum Server: String, SettingChoice {
        case auto, openldap, ad

        package var help: String {
            switch self {
            case .auto: "As its root entry says."
            case .openldap: "OpenLDAP and its like: entryUUID, entryCSN."
            case .ad: "Active Directory and Samba: objectGUID, uSNChanged, ranges."
            }
        }
    }

    package var url = ""
    package var server = Server.auto
    package var startTLS = false
    package var caFile: String?
    package var bindDN = ""
    package var password = WeirSettings.Secret()
    package var objects = SettingMap<DirectoryObjectSettings>()
    package var pageSize = 1_000
    package var connections = 4
    package var timeout = Duration.seconds(30)
    package var batch = 500
    package var lastMember = LastMember.fail
    package var placeholder: String?

    package init() {}
    package var types: [String] { objects.names }

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, required: true, check: address,
            examples: ["ldaps://dc1.example.org", "tunnel://addomain"],
            "Where it is; `tunnel://CONNECTOR` goes through this node's own hub, to what the agent serves there."),
        field("server", \.server, "What kind of directory it is."),
        field("start_tls", \.startTLS, "Turns an `ldap://` or tunnelled connection into TLS before anything is said."),
        field("ca_file", \.caFile, "PEM file with the authorities of its certificate; the system's unless set."),
        field("bind_dn", \.bindDN, examples: ["\"cn=weir,dc=example,dc=org\""], "As whom; anonymous when empty."),
        field("password", \.password, examples: ["{ file: ad.pass }"], "Its password."),
        field(
            "objects", \.objects, required: true, check: ObjectName.checkAll,
            "Its types of objects, by name: `user`, `group`."),
        field("page_size", \.pageSize, range: 10...10_000, "Entries in one page of a scan."),
        field("connections", \.connections, range: 1...64, "At the same time."),
        field("timeout", \.timeout, range: .milliseconds(100)...(.seconds(600)), "For one answer."),
        field("batch", \.batch, range: 1...5_000, "Values of a group that are written in one request."),
        field("on_last_member", \.lastMember, "When a group that must have a member loses its last one."),
        field("placeholder", \.placeholder, examples: ["\"cn=nobody,dc=example,dc=org\""], "Who takes that place."),
    ]

    private static let address: @Sendable (String) -> String? = { url in
        ["ldap://", "ldaps://", "ldapi://", "tunnel://"].contains { url.hasPrefix($0) && url.count > $0.count }
            ? nil : "must begin with `ldap://`, `ldaps://`, `ldapi://` or `tunnel://`"
    }

    /// The hub's connector of `tunnel://CONNECTOR`.
    package var connector: String? {
        guard url.hasPrefix("tunnel://") else { return nil }
        let name = url.dropFirst("tunnel://".count)
        return String(name.hasSuffix("/") ? name.dropLast() : name)
    }

    package func mistakes() -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        if !bindDN.isEmpty, !password.isSet {
            // An empty password is an anonymous bind that succeeds (RFC 4513, 5.1.2).
            mistakes.append(
                SettingMistake("bind_dn", "there is no password for it", help: "add `password: { file: PATH }`"))
        }
        if startTLS, url.hasPrefix("ldaps://") {
            mistakes.append(
                SettingMistake("start_tls", "`ldaps://` is TLS from the start", help: "leave `start_tls` out"))
        }
        if password.isSet, url.hasPrefix("ldap://"), !startTLS, !Self.isHere(url) {
            mistakes.append(
                SettingMistake(
                    "url", "the password would cross the network unencrypted",
                    help: "write `ldaps://`, or add `start_tls: true`"))
        }
        if lastMember == .placeholder, placeholder == nil {
            mistakes.append(
                SettingMistake("on_last_member", "nobody is named to take the place", help: "add `placeholder`"))
        }
        return mistakes
    }

    private static func isHere(_ url: String) -> Bool {
        let rest = url.dropFirst("ldap://".count)
        return ["127.", "localhost", "[::1]"].contains { rest.hasPrefix($0) }
    }
}

/// Tables of a database.
package struct SQLSiloSettings: SiloKindSettings {
    package var url = ""
    package var password = WeirSettings.Secret()
    package var objects = SettingMap<TableSettings>()
    package var timeout = Duration.seconds(30)

    package init() {}
    package var types: [String] { objects.names }

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, required: true,
            check: { url in
                ["sqlite:", "postgresql://"].contains { url.hasPrefix($0) && url.count > $0.count }
                    ? nil : "must begin with `sqlite:` or `postgresql://`"
            }, examples: ["sqlite:hr.db", "postgresql://weir@127.0.0.1/hr"], "The database."),
        field("password", \.password, "For PostgreSQL."),
        field("objects", \.objects, required: true, check: ObjectName.checkAll, "Its types of objects, by name."),
        field("timeout", \.timeout, range: .milliseconds(100)...(.seconds(3_600)), "For one statement."),
    ]
}

/// One table or query.
package struct TableSettings: Settings {
    package var table: String?
    package var query: String?
    package var key = ""
    package var changed: String?

    package init() {}

    package static let fields: [Field<Self>] = [
        field("table", \.table, examples: ["people"], "The table; rules may write to it."),
        field("query", \.query, examples: ["\"SELECT * FROM staff WHERE kind = 'p'\""], "A query, for reading only."),
        field("key", \.key, required: true, examples: ["id"], "The column that identifies a row for ever."),
        field(
            "changed", \.changed, examples: ["updated_at"],
            "A column that grows with every change: delta scans read what is above its highest value."),
    ]

    package func mistakes() -> [SettingMistake] {
        (table == nil) == (query == nil)
            ? [SettingMistake("", "one of `table` and `query` is needed", help: "write one of them")] : []
    }
}

/// A SCIM 2.0 service.
package struct SCIMSiloSettings: SiloKindSettings {
    package var url = ""
    package var token = WeirSettings.Secret()
    package var pageSize = 100
    package var timeout = Duration.seconds(30)

    package init() {}
    package var types: [String] { ["user", "group"] }

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, required: true, check: { ApprovalWebhookSettings.address($0) },
            examples: ["https://app.example.org/scim/v2"], "Its base."),
        field("token", \.token, examples: ["{ file: scim.token }"], "Bearer token."),
        field("page_size", \.pageSize, range: 1...1_000, "Resources in one page."),
        field("timeout", \.timeout, range: .milliseconds(100)...(.seconds(600)), "For one answer."),
    ]
}

/// A program.
package struct ExecSiloSettings: SiloKindSettings {
    package var command: [String] = []
    package var objects: [String] = ["user"]
    package var timeout = Duration.seconds(600)

    package init() {}
    package var types: [String] { objects }

    package static let fields: [Field<Self>] = [
        field("command", \.command, required: true, examples: ["[ /usr/local/bin/phones ]"], "The program."),
        field(
            "objects", \.objects, check: { $0.lazy.compactMap(ObjectName.check).first },
            "Its types of objects."),
        field("timeout", \.timeout, range: .seconds(1)...(.seconds(86_400)), "For one run."),
    ]
}
