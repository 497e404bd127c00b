package import WeirSettings

/// One silo as it was configured: its own settings and those that all have.
package struct SiloEntry: SettingUnion {
    package static let catalog = SettingCatalog(
        noun: "silo", common: SiloSettings.self,
        kinds: [
            SettingKind("csv", CSVSiloSettings.self, "A file of comma-separated values: an HR list."),
            SettingKind(
                "ldif", LDIFSiloSettings.self,
                "A directory in one LDIF file: for trials with nothing installed, and for exports of directories."),
            SettingKind("ldap", LDAPSiloSettings.self, "An LDAP directory: OpenLDAP, Active Directory, Samba."),
            SettingKind("sql", SQLSiloSettings.self, "Tables of SQLite or PostgreSQL."),
            SettingKind("scim", SCIMSiloSettings.self, "A SCIM 2.0 service."),
            SettingKind("exec", ExecSiloSettings.self, "Any program that speaks JSON lines."),
        ])
    package var typed: TypedSettings<SiloSettings>
    package init(_ typed: TypedSettings<SiloSettings>) { self.typed = typed }

    /// The types of objects that it has.
    package var types: [String] { (typed.own as? any SiloKindSettings)?.types ?? ["user"] }
}

/// What all silos have.
package struct SiloSettings: Settings {
    package var multi: [String] = []
    package var shrink: SharePercent?
    package var isReadOnly = false

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "multi", \.multi, examples: ["[ mail, memberof ]"],
            "Attributes that are lists in expressions, whatever number of values somebody has. Those that directories "
                + "have as lists everywhere are known."),
        field("shrink", \.shrink, "In place of `identity.sync.shrink`."),
        field("read_only", \.isReadOnly, "No rule may write here."),
    ]
}

/// What the settings of each kind say of themselves.
package protocol SiloKindSettings: Settings {
    /// The types of objects that it has.
    var types: [String] { get }
}

/// A file of comma-separated values.
package struct CSVSiloSettings: SiloKindSettings {
    package var path = ""
    package var key = ""
    package var object = "user"
    package var delimiter = ","
    package var list = ";"
    package var encoding = "utf-8"

    package init() {}
    package var types: [String] { [object] }

    package static let fields: [Field<Self>] = [
        field("path", \.path, required: true, examples: ["hr.csv"], "The file; its first line names the columns."),
        field("key", \.key, required: true, examples: ["id"], "The column that identifies a row for ever."),
        field("object", \.object, check: ObjectName.check, "What its rows are called as a type."),
        field(
            "delimiter", \.delimiter, check: { $0.utf8.count == 1 ? nil : "must be one character" },
            "Between two columns."),
        field(
            "list", \.list, check: { $0.utf8.count == 1 ? nil : "must be one character" },
            "Between two values of a column that is in `multi`."),
        field(
            "encoding", \.encoding, check: { TextEncoding(named: $0) == nil ? "is none that is known" : nil },
            examples: ["utf-8", "windows-1252"], "Of the file, unless it has a mark."),
    ]
}

/// Which entries of a directory are objects of a type.
package struct DirectoryObjectSettings: Settings {
    package var base = ""
    package var filter = "(objectClass=*)"
    package var attributes: [String] = []

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "base", \.base, required: true, examples: ["\"ou=people,dc=example,dc=org\""], "Below which DN they are."),
        field("filter", \.filter, "Which of the entries there."),
        field(
            "attributes", \.attributes, examples: ["[ uid, cn, sn, mail ]"],
            "What is read of them; all user attributes when empty."),
    ]
}

/// A directory in one LDIF file.
package struct LDIFSiloSettings: SiloKindSettings {
    package var path = ""
    package var objects = SettingMap<LDIFObjectSettings>()

    package init() {}
    package var types: [String] { objects.names }

    package static let fields: [Field<Self>] = [
        field(
            "path", \.path, required: true, examples: ["directory.ldif"], "The file; rewritten whole by each change."),
        field(
            "objects", \.objects, required: true, check: ObjectName.checkAll,
            "Its types of objects, by name: `user`, `group`."),
    ]
}

/// Which entries of an LDIF file are objects of a type.
package struct LDIFObjectSettings: Settings {
    package var base = ""
    package var objectClass: String?

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "base", \.base, required: true, examples: ["\"ou=people,dc=example,dc=org\""], "Below which DN they are."),
        field("class", \.objectClass, examples: ["inetOrgPerson"], "Of which object class; of any unless set."),
    ]
}

/// Names of object types: they stand in `silo/type` and in expressions.
enum ObjectName {
    static let check: @Sendable (String) -> String? = { name in
        let isGood =
            name.utf8.first.map { (0x61...0x7A).contains($0) } ?? false
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
        return isGood
            ? nil : "is `\(name)`; it begins with a small letter and goes on with small letters, digits and `_`"
    }

    static func checkAll<Value>(_ map: SettingMap<Value>) -> String? {
        map.names.lazy.compactMap { check($0).map { "has a name that \($0)" } }.first
    }
}
