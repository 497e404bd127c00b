/// What family a server is of: what its codes mean and which controls it honours.
package enum ServerKind: String, Sendable, CaseIterable {
    case openLDAP = "openldap"
    /// AD and Samba's AD.
    case activeDirectory = "ad"
    /// Anything else: what it advertises is used, and no peculiarity is assumed.
    case generic
}

/// What a server says of itself in its root entry (RFC 4512 section 5.1).
package struct RootEntry: Sendable, Equatable {
    package var kind: ServerKind
    /// Suffixes that it holds.
    package var contexts: [String]
    /// AD: where users and groups are.
    package var defaultContext: String?
    package var controls: Set<String>
    /// AD: which server answers. A mark for delta scans holds for this one alone, because each counts for itself.
    package var server: String?
    /// AD: the number of the last change.
    package var highestChange: UInt64?

    static let attributes = [
        "objectClass", "namingContexts", "supportedControl", "supportedCapabilities", "defaultNamingContext",
        "dsServiceName", "highestCommittedUSN", "forestFunctionality",
    ]

    /// - Parameter kind: what the operator says it is; nil believes the server.
    package init(_ entry: EntryPage.Entry, kind wanted: ServerKind? = nil) {
        contexts = entry.texts("namingContexts")
        defaultContext = entry.text("defaultNamingContext")
        controls = Set(entry.texts("supportedControl"))
        server = entry.text("dsServiceName")
        highestChange = entry.text("highestCommittedUSN").flatMap { UInt64($0) }
        let classes = entry.texts("objectClass").map { $0.lowercased() }
        // LDAP_CAP_ACTIVE_DIRECTORY_OID
        if entry.texts("supportedCapabilities").contains("1.2.840.113556.1.4.800") {
            kind = .activeDirectory
        } else if classes.contains("openldaprootdse") {
            kind = .openLDAP
        } else {
            kind = .generic
        }
        if let wanted { kind = wanted }
    }

    /// Whether a request that only adds (or replaces) values may ask for permissive modify.
    ///
    /// slapd honours the control and does not advertise it. For deletes slapd must not be asked: with the last of
    /// several values absent it answers 16 with no words and takes everything back (`modify_delete_vindex`, 2.5 and
    /// later); AD may.
    package func isPermissive(deleting: Bool) -> Bool {
        switch kind {
        case .openLDAP: !deleting
        case .activeDirectory: true
        case .generic: controls.contains(DirectoryControl.permissiveNumber)
        }
    }

    package var readsAfter: Bool { controls.contains(DirectoryControl.postReadNumber) }
    /// AD answers 12 to it.
    package var asserts: Bool {
        kind != .activeDirectory && controls.contains(DirectoryControl.assertionNumber)
    }
    package var pages: Bool { controls.contains(DirectoryControl.pagedNumber) }

    /// What stays with an entry though it is renamed.
    package var anchorAttribute: String { kind == .activeDirectory ? "objectGUID" : "entryUUID" }

    /// What says that an entry changed: equal, and it did not.
    package var versionAttribute: String { kind == .activeDirectory ? "uSNChanged" : "entryCSN" }
}
